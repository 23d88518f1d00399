//! CIFAR-10 and CIFAR-100 as records: the original archive, or the folder that it unpacks to.

use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use super::archive::Archive;
use super::cifar_files::RECORDS_MD5;
use super::listing::{Item, Listing};
use super::mistaken::mistaken;
use super::names::{CIFAR10, CIFAR100, Known};
use super::options::OpenOptions;
use super::shown::shown;
use super::spans::{Content, Span, SpanFile, Spans};
use super::store::Store;
use crate::digest;
use crate::error::DataError;
use crate::picture::{HEAD, Looks};
use crate::split::Part;

const SIDE: usize = 32;
const IMAGE: u64 = 3 * (SIDE * SIDE) as u64;

/// One of the two sets: its files, and how their records begin.
pub(crate) struct Form {
    known: &'static Known,
    kind: &'static str,
    records: &'static [(&'static str, Part)],
    /// The names of the classes, one a line; those of the superclasses.
    names: &'static [&'static str],
}

pub(crate) const FORMS: [Form; 2] = [
    Form {
        known: &CIFAR100,
        kind: "CIFAR-100's binary records",
        records: &[("train.bin", Part::Train), ("test.bin", Part::Test)],
        names: &["fine_label_names.txt", "coarse_label_names.txt"],
    },
    Form {
        known: &CIFAR10,
        kind: "CIFAR-10's binary records",
        records: &[
            ("data_batch_1.bin", Part::Train),
            ("data_batch_2.bin", Part::Train),
            ("data_batch_3.bin", Part::Train),
            ("data_batch_4.bin", Part::Train),
            ("data_batch_5.bin", Part::Train),
            ("test_batch.bin", Part::Test),
        ],
        names: &["batches.meta.txt"],
    },
];

impl Form {
    fn files(&self) -> impl Iterator<Item = &'static str> {
        self.records
            .iter()
            .map(|(name, _)| *name)
            .chain(self.names.iter().copied())
    }

    /// The bytes before the image: superclass and class, or the class alone.
    fn lead(&self) -> u64 {
        self.names.len() as u64
    }

    /// Whether `file` is called like one of its files of records.
    pub(crate) fn has(&self, file: &Path) -> bool {
        self.records
            .iter()
            .any(|(name, _)| file.file_name().is_some_and(|n| n == *name))
    }

    /// The form whose files are all among `names`.
    pub(crate) fn of(names: &[PathBuf]) -> Option<&'static Self> {
        let has = |file: &str| {
            names
                .iter()
                .any(|name| name.file_name().is_some_and(|name| name == file))
        };
        FORMS.iter().find(|form| form.files().all(has))
    }
}

/// Lists the records in the folder `folder`, which are files of their own.
///
/// # Errors
///
/// [`DataError::Damaged`] names the file that does not hold whole records.
pub(crate) fn list_folder(
    form: &Form,
    folder: &Path,
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let mut files = Vec::new();
    let mut spans = Vec::new();
    for (i, name) in (0u32..).zip(form.files()) {
        let file = SpanFile::open(&folder.join(name), &options.cache_folder())?;
        let head = file.head(HEAD)?;
        if Looks::of(&head).is_stand_in() {
            return Err(mistaken(&file.path, &head, "file of CIFAR's records"));
        }
        spans.push((
            name,
            Span {
                file: i,
                at: 0,
                length: file.length()?,
                inflated: None,
            },
        ));
        files.push(file);
    }
    list(form, folder, files, &spans)
}

/// Lists the records in an archive of which the table of contents was read.
///
/// # Errors
///
/// As [`list_folder`].
pub(crate) fn list_archive(
    form: &Form,
    place: &Path,
    archive: Archive,
) -> Result<Listing, DataError> {
    let find = |name: &'static str| {
        let found = archive
            .entries
            .iter()
            .find(|(path, _)| path.file_name().is_some_and(|n| n == name));
        found.map(|(_, span)| (name, *span))
    };
    let spans: Vec<_> = form.files().filter_map(find).collect();
    let mut listing = list(form, place, archive.files, &spans)?;
    if form.known.name == CIFAR10.name {
        let digest = digest::md5_of_file(place).map_err(DataError::io("reading", place))?;
        listing.verified = Some(digest == CIFAR10.files[0].md5);
    }
    Ok(listing)
}

fn list(
    form: &Form,
    place: &Path,
    files: Vec<SpanFile>,
    spans: &[(&str, Span)],
) -> Result<Listing, DataError> {
    let read = |span: &Span, at: u64, bytes: &mut [u8]| {
        let file = &files[span.file as usize];
        file.read_at(span.at + at, bytes)
            .map_err(DataError::io("reading", &file.path))
    };
    let (mut items, mut names, mut images, mut digests) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let record = form.lead() + IMAGE;
    for (name, span) in &spans[..form.records.len()] {
        if span.length == 0 || span.length % record != 0 {
            let reason = format!(
                "{name} is {} bytes long, not a multiple of a record's {record}",
                span.length
            );
            return Err(DataError::damaged(place, reason));
        }
        let part = form
            .records
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, part)| *part);
        let mut md5 = Md5::new();
        let mut bytes = vec![0; record as usize];
        for row in 0..span.length / record {
            read(span, row * record, &mut bytes)?;
            md5.update(&bytes);
            let lead = form.lead() as usize;
            items.push(Item {
                label: u32::from(bytes[lead - 1]),
                superclass: (lead == 2).then(|| u32::from(bytes[0])),
                part,
                group: None,
            });
            names.push(format!("{name}#{row}"));
            images.push(Span {
                at: span.at + row * record + form.lead(),
                length: IMAGE,
                ..*span
            });
        }
        digests.push(digest::hex(&md5.finalize()));
    }
    let mut lists = Vec::new();
    for (name, span) in &spans[form.records.len()..] {
        let mut bytes = vec![0; span.length.min(1 << 20) as usize];
        read(span, 0, &mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(String::from)
            .collect();
        lists.push((*name, lines));
    }
    let mut lists = lists.into_iter();
    let (classes, superclasses) = (
        lists.next().unwrap_or_default(),
        lists.next().unwrap_or_default(),
    );
    check(place, &classes, items.iter().map(|item| item.label))?;
    check(
        place,
        &superclasses,
        items.iter().filter_map(|item| item.superclass),
    )?;
    let content = Content::Planes {
        height: SIDE,
        width: SIDE,
    };
    let store = Store::Spans(Spans {
        files,
        spans: images,
        content,
    });
    let mut listing = Listing {
        classes: classes.1,
        superclasses: superclasses.1,
        items,
        names,
        verified: (form.known.name == CIFAR100.name).then(|| digests == RECORDS_MD5),
        ..Listing::new(place, form.kind, store)
    };
    form.known.introduce(&mut listing);
    listing.finish(place)
}

fn check(
    place: &Path,
    (file, names): &(&str, Vec<String>),
    labels: impl Iterator<Item = u32>,
) -> Result<(), DataError> {
    match labels.max() {
        Some(most) if most as usize >= names.len() => {
            let reason = format!(
                "a record has the label {most}, but {} has {} names",
                shown(file.as_ref()),
                names.len()
            );
            Err(DataError::damaged(place, reason))
        }
        _ => Ok(()),
    }
}
