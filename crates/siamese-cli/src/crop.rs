//! Whether faces are looked for in pictures, and what is told of those that were found.

use std::path::Path;

use anyhow::Result;
use candle_core::Device;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use siamese_embed::{Embedder, SeenFace};

/// How pictures are taken.
#[derive(Args, Clone, Copy)]
pub(crate) struct CropArguments {
    /// Of what in a picture: the face, found and cut out as the model's training pictures were (a picture of the crops'
    /// size is one already), or all of it as it is [default: face, of a model of faces]
    #[arg(long, value_enum)]
    crop: Option<Crop>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Crop {
    Face,
    AsIs,
}

impl CropArguments {
    /// Loads a model that takes pictures so.
    pub(crate) fn load(self, place: &Path, device: &Device) -> Result<Embedder> {
        let embedder = Embedder::load(place, device)?;
        Ok(match self.crop {
            None => embedder,
            Some(Crop::Face) => embedder.finding_faces()?,
            Some(Crop::AsIs) => embedder.as_is(),
        })
    }
}

/// A face as programs read it: its box in pixels of the upright picture, left, top, right, bottom.
pub(crate) fn face_json(seen: &SeenFace) -> Value {
    let bounds = &seen.face.bounds;
    json!({
        "box": [bounds.left, bounds.top, bounds.right, bounds.bottom],
        "probability": seen.face.probability, "number": seen.number + 1, "of": seen.of,
    })
}

/// A face in a clause: `face 1 of 3 at 12,40 to 88,131`.
pub(crate) fn face_in_words(seen: &SeenFace) -> String {
    let bounds = &seen.face.bounds;
    format!(
        "face {} of {} at {:.0},{:.0} to {:.0},{:.0}",
        seen.number + 1,
        seen.of,
        bounds.left,
        bounds.top,
        bounds.right,
        bounds.bottom
    )
}

/// Tells that of several faces one is taken.
pub(crate) fn say_largest(name: &str, face: Option<&SeenFace>) {
    if let Some(seen) = face.filter(|seen| seen.of > 1) {
        eprintln!("note: {name} shows {} faces, the largest is taken", seen.of);
    }
}
