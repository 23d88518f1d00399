//! A gallery, the model that it was made with, and the pictures that it is asked about.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use siamese_data::{LeftOut, Pictures, Progress};
use siamese_embed::{Embedded, Embedder};
use siamese_gallery::Gallery;

use crate::crop::{CropArguments, say_largest};
use crate::device::DeviceChoice;
use crate::pictures::PictureArguments;
use crate::sheet::SIDE;

/// A gallery, and the model to embed by.
#[derive(Args)]
pub(crate) struct GalleryArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    pub(crate) place: String,
    /// Where the gallery's model lies now [default: where it lay when the gallery was made]
    #[arg(long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    crop: CropArguments,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

impl GalleryArguments {
    /// Opens both; another model than the gallery's is refused.
    pub(crate) fn open(&self) -> Result<(Gallery, Embedder)> {
        let gallery = Gallery::open(&self.place)?;
        let own = PathBuf::from(&gallery.about().model.place);
        let place = self.model.as_ref().unwrap_or(&own);
        let embedder = self.crop.load(place, &self.device.open()?);
        let embedder = match &self.model {
            Some(_) => embedder?,
            None => embedder.with_context(|| {
                let place = &self.place;
                format!("the model of {place} is not where it was; say where by --model")
            })?,
        };
        gallery.check_model(&embedder)?;
        Ok((gallery, embedder))
    }
}

/// What a gallery is asked about.
#[derive(Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) gallery: GalleryArguments,
    #[command(flatten)]
    pub(crate) pictures: PictureArguments,
    /// Print the answers as JSON, a line each
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page with the probes beside what is near
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

/// Embeds the probes, or the largest face in each, and hands each to `answer`; those that cannot be read or have no face
/// come back.
pub(crate) fn each(
    embedder: &Embedder,
    pictures: &Pictures,
    mut answer: impl FnMut(Embedded) -> Result<()>,
) -> Result<Vec<LeftOut>> {
    check_asked(pictures)?;
    embedder.stream(pictures, Some(SIDE), |embedded| {
        say_largest(&pictures.items[embedded.item].name, embedded.face.as_ref());
        answer(embedded)
    })
}

/// As [`each`], with all faces of a probe at once, perhaps none.
pub(crate) fn each_with_all(
    embedder: &Embedder,
    pictures: &Pictures,
    answer: impl FnMut(usize, Vec<Embedded>) -> Result<()>,
) -> Result<Vec<LeftOut>> {
    check_asked(pictures)?;
    embedder.stream_all(pictures, Some(SIDE), answer)
}

fn check_asked(pictures: &Pictures) -> Result<()> {
    ensure!(!pictures.is_empty(), "there is no picture to ask about");
    Ok(())
}

/// Tells of probes that cannot be read, each on its line.
pub(crate) fn say_unread(unread: &[LeftOut], json: bool) {
    for left in unread {
        if json {
            println!(
                "{}",
                serde_json::json!({"probe": left.what, "error": left.why})
            );
        } else {
            eprintln!("error: {}: {}", left.what, left.why);
        }
    }
}

/// A meter for work that takes a while; quiet where it is soon done.
pub(crate) fn meter(what: &str, count: usize) -> siamese_data::Meter {
    let progress = match count {
        0..200 => Progress::Silent,
        _ => Progress::Stderr,
    };
    progress.images(what, count as u64)
}
