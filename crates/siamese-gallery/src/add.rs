//! Pictures embedded and added, a batch at a time.

use std::io::Cursor;
use std::time::{SystemTime, UNIX_EPOCH};

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde_json::Value;
use siamese_data::{LeftOut, Pictures, ReadPicture};
use siamese_embed::{Embedded, Embedder, SeenFace};

use crate::entry::{Added, Entry};
use crate::error::{Error, Result};
use crate::gallery::Gallery;

/// Pictures of a transaction.
const TOGETHER: usize = 64;
const JPEG_QUALITY: u8 = 85;

/// How pictures are added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddOptions {
    /// The class of all of them, in place of their folders'.
    pub class: Option<String>,
    /// Free JSON of all of them.
    pub data: Value,
}

/// One picture that was added, or was there: it is on the disk when this is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Adding<'a> {
    /// Its number among the pictures.
    pub item: usize,
    /// Its name.
    pub name: &'a str,
    /// The class that it was to have.
    pub class: &'a str,
    /// What became of it.
    pub added: &'a Added,
    /// Which face of the picture was added, where the model is of faces and the picture was no crop already.
    pub face: Option<&'a SeenFace>,
}

/// What became of pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddReport {
    /// Pictures that are new.
    pub new: usize,
    /// Pictures that were there already.
    pub known: usize,
    /// Pictures that could not be read, or have no face where the model is of faces.
    pub unread: Vec<LeftOut>,
}

impl Gallery {
    /// Adds pictures, and tells of each by `told` once it is on the disk.
    ///
    /// # Errors
    /// Another model than the gallery's; a picture without a class, before any is added; what the store says: what was
    /// told of is kept.
    pub fn add(
        &mut self,
        embedder: &Embedder,
        pictures: &Pictures,
        options: &AddOptions,
        mut told: impl FnMut(Adding),
    ) -> Result<AddReport> {
        self.check_model(embedder)?;
        check_classes(pictures, options)?;
        let mut report = AddReport::default();
        let mut waiting: Vec<Embedded> = Vec::with_capacity(TOGETHER);
        let mut flush = |waiting: &mut Vec<Embedded>, report: &mut AddReport| -> Result<()> {
            let entry = |embedded: &Embedded| entry(embedded, pictures, options);
            let entries: Vec<Entry> = waiting.iter().map(entry).collect();
            let added = self.add_entries(&entries)?;
            for ((embedded, entry), added) in waiting.iter().zip(&entries).zip(&added) {
                match added {
                    Added::New(_) => report.new += 1,
                    Added::Known { .. } => report.known += 1,
                }
                told(Adding {
                    item: embedded.item,
                    name: &entry.name,
                    class: &entry.class,
                    added,
                    face: embedded.face.as_ref(),
                });
            }
            waiting.clear();
            Ok(())
        };
        let unread =
            embedder.stream(pictures, Some(Entry::THUMBNAIL), |embedded| -> Result<()> {
                waiting.push(embedded);
                match waiting.len() {
                    TOGETHER => flush(&mut waiting, &mut report),
                    _ => Ok(()),
                }
            })?;
        if !waiting.is_empty() {
            flush(&mut waiting, &mut report)?;
        }
        report.unread = unread;
        Ok(report)
    }
}

fn check_classes(pictures: &Pictures, options: &AddOptions) -> Result<()> {
    let without = pictures.items.iter().find(|item| item.class.is_none());
    match (without, &options.class) {
        (Some(item), None) => Err(Error::Invalid(format!(
            "{} has no class: put the pictures of each class into a subfolder of its own and name the folder above, \
             or say --class NAME",
            item.name
        ))),
        (_, Some(class)) if class.is_empty() => {
            Err(Error::Invalid("a class's name is empty".into()))
        }
        _ => Ok(()),
    }
}

fn entry(embedded: &Embedded, pictures: &Pictures, options: &AddOptions) -> Entry {
    let item = &pictures.items[embedded.item];
    let own = || pictures.class_of(embedded.item).unwrap_or_default();
    let source = item.file.as_ref().map(|file| {
        let whole = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        whole.to_string_lossy().into_owned()
    });
    Entry {
        source,
        data: options.data.clone(),
        ..Entry::of(
            options.class.clone().unwrap_or_else(|| own().to_string()),
            item.name.clone(),
            &embedded.picture,
            embedded.embedding.clone(),
        )
    }
}

impl Entry {
    /// No side of the thumbnail of an entry is longer, in pixels.
    pub const THUMBNAIL: usize = 128;

    /// The entry of a picture that was read and embedded now; of no file, and without free JSON.
    pub fn of(class: String, name: String, read: &ReadPicture, embedding: Vec<f32>) -> Self {
        Self {
            class,
            name,
            source: None,
            hash: Some(read.sha256.clone()),
            time: now(),
            data: Value::Null,
            thumbnail: read.thumbnail.as_ref().and_then(jpeg),
            embedding,
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

fn jpeg((pixels, (height, width)): &(Vec<u8>, (usize, usize))) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let (width, height) = (*width as u32, *height as u32);
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .encode(pixels, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(bytes.into_inner())
}
