//! An object a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::TableRow;

pub(super) struct Jsonl<'a> {
    pub(super) file: &'a mut BufWriter<File>,
}

impl Jsonl<'_> {
    pub(super) fn push(&mut self, row: TableRow) -> io::Result<()> {
        let [file, class] = [json!(row.file), json!(row.class)];
        let numbers = serde_json::to_string(row.embedding).map_err(io::Error::other)?;
        writeln!(
            self.file,
            "{{\"file\":{file},\"class\":{class},\"embedding\":{numbers}}}"
        )
    }
}
