//! The contact sheet of a search: probes beside what is near.

use std::path::Path;

use anyhow::Result;
use siamese_data::{Colour, PictureLimits, ReadPicture, decode};
use siamese_gallery::{Filter, Gallery, Match};
use siamese_report::{ContactSheet, SheetMatch, SheetProbe, Thumbnail};

/// Longest side of a probe's picture, in pixels.
pub(crate) const SIDE: usize = 128;
/// Probes on a page at most: it bounds its size.
const SHOWN: usize = 500;

/// A sheet that is filled probe by probe.
#[derive(Default)]
pub(crate) struct Sheet {
    probes: Vec<SheetProbe>,
    asked: usize,
}

impl Sheet {
    /// Adds a probe and what is near it.
    pub(crate) fn push(
        &mut self,
        gallery: &mut Gallery,
        (name, read): (&str, &ReadPicture),
        answer: &str,
        matches: &[Match],
    ) -> Result<()> {
        self.asked += 1;
        if self.probes.len() == SHOWN {
            return Ok(());
        }
        let mut nearest = Vec::with_capacity(matches.len());
        for near in matches {
            nearest.push(SheetMatch {
                picture: thumbnail(gallery, near.id)?,
                class: near.class.clone(),
                name: near.name.clone(),
                distance: near.distance.into(),
            });
        }
        let picture = read
            .thumbnail
            .clone()
            .and_then(|(pixels, (height, width))| {
                Thumbnail::new(width as u32, height as u32, 3, pixels).ok()
            });
        self.probes.push(SheetProbe {
            picture: picture.unwrap_or_default(),
            name: name.to_string(),
            answer: answer.to_string(),
            nearest,
        });
        Ok(())
    }

    /// Writes the page.
    pub(crate) fn write(self, path: &Path, gallery: &mut Gallery, verdict: String) -> Result<()> {
        let classes = gallery.classes()?;
        let entries: usize = classes.values().sum();
        let cut = match self.asked > self.probes.len() {
            true => format!("; the first {SHOWN} of {} probes are shown", self.asked),
            false => String::new(),
        };
        let sheet = ContactSheet {
            title: gallery.place().to_string(),
            data: format!("{entries} entries of {} classes{cut}", classes.len()),
            verdict,
            probes: self.probes,
        };
        sheet.write(path)?;
        eprintln!("{}", path.display());
        Ok(())
    }
}

/// The picture of an entry; empty where it has none, or is gone by now.
fn thumbnail(gallery: &mut Gallery, id: i64) -> Result<Thumbnail> {
    let mut found = None;
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    gallery.entries(&filter, |row| {
        found = row.entry.thumbnail;
        Ok(())
    })?;
    let Some(bytes) = found else {
        return Ok(Thumbnail::default());
    };
    let Ok(picture) = decode(&bytes, &PictureLimits::default(), None) else {
        return Ok(Thumbnail::default());
    };
    let (height, width) = (picture.height(), picture.width());
    let pixels = picture.pixels(Colour::Rgb);
    Ok(Thumbnail::new(width as u32, height as u32, 3, pixels)?)
}
