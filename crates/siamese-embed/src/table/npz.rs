//! NumPy's `.npz`, whose arrays begin with their length: rows wait in a nameless file until it is known.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use siamese_core::metrics::npz::{Names, NpzSpool};

use super::TableRow;

pub(super) struct Npz<'a> {
    file: &'a mut BufWriter<File>,
    spool: NpzSpool<File>,
    labels: HashMap<String, u32>,
    names: Names,
}

impl<'a> Npz<'a> {
    pub(super) fn new(path: &Path, dim: usize, file: &'a mut BufWriter<File>) -> io::Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        // nameless: nothing is left of it, whatever happens
        let waiting = tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Self {
            file,
            spool: NpzSpool::new(waiting, dim),
            labels: HashMap::new(),
            names: Names::default(),
        })
    }

    pub(super) fn push(&mut self, row: TableRow) -> io::Result<()> {
        let label = row.class.map(|class| self.label(class));
        self.names.files.push(row.file.to_string());
        self.spool.push(row.embedding, label)
    }

    fn label(&mut self, class: &str) -> u32 {
        if let Some(&label) = self.labels.get(class) {
            return label;
        }
        let label = self.names.classes.len() as u32;
        self.names.classes.push(class.to_string());
        self.labels.insert(class.to_string(), label);
        label
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.spool.finish(self.file, &self.names)
    }
}
