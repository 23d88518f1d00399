//! An embedder of another's, in ONNX: it embeds the pictures, and its embeddings are judged as any.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use siamese_core::ImageInput;
use siamese_core::metrics::npz::{EmbeddingFile, Names, write_npz};
use siamese_onnx::{OnnxEmbedder, Told};

use super::Arguments;
use super::material::{Loose, loose};
use super::output::Results;
use super::table;
use crate::onnx::embed;

/// How the numbers of a picture are made of its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pixels {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Pixels {
    /// `imagenet`, `0..1`, `-1..1`, `0..255`, or means and deviations as in `0.5,0.5,0.5/0.2,0.2,0.2`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let one = |mean: f32, std: f32| Self {
            mean: vec![mean],
            std: vec![std],
        };
        let numbers = |text: &str| -> Option<Vec<f32>> {
            let numbers = text.split(',').map(|number| number.trim().parse().ok());
            numbers.collect()
        };
        match text {
            "imagenet" => {
                let ImageInput { mean, std, .. } = ImageInput::imagenet();
                Ok(Self { mean, std })
            }
            "0..1" => Ok(one(0.0, 1.0)),
            "-1..1" => Ok(one(0.5, 0.5)),
            "0..255" => Ok(one(0.0, 1.0 / 255.0)),
            told => told
                .split_once('/')
                .and_then(|(mean, std)| Some((numbers(mean)?, numbers(std)?)))
                .filter(|(mean, std)| {
                    let finite = mean.iter().chain(std).all(|number| number.is_finite());
                    finite && mean.len() == std.len() && std.iter().all(|&std| std > 0.0)
                })
                .map(|(mean, std)| Self { mean, std })
                .ok_or_else(|| {
                    "expected imagenet, 0..1, -1..1, 0..255, or means and deviations of values in 0..1, such as \
                     0.5,0.5,0.5/0.25,0.25,0.25"
                        .into()
                }),
        }
    }
}

/// `HEIGHTxWIDTH`, or one number for both.
pub(super) fn size(text: &str) -> Result<(usize, usize), String> {
    let number = |text: &str| text.parse().ok().filter(|side| (1..=4096).contains(side));
    let both = match text.split_once('x') {
        Some((height, width)) => number(height).zip(number(width)),
        None => number(text).map(|side| (side, side)),
    };
    both.ok_or_else(|| "expected HEIGHTxWIDTH or one number, each from 1 to 4096".into())
}

/// Judges the embedder in `file` on a folder or a data set.
pub(super) fn judge(arguments: &Arguments, file: &Path) -> Result<Results> {
    let what = &arguments.what;
    let told = Told {
        size: what.size,
        normalization: what.pixels.clone().map(|pixels| (pixels.mean, pixels.std)),
        distance: what.distance,
    };
    let embedder = OnnxEmbedder::load(file, told)?;
    for assumed in embedder.assumed() {
        eprintln!("{}: {assumed}", file.display());
    }
    let Loose { set, mut notes } = loose(arguments, embedder.input())?;
    ensure!(
        set.pairs.is_none(),
        "an ONNX file is judged on classes: name a folder with a subfolder for each, or a table of path,label"
    );
    let embeddings =
        embed(&embedder, &set.images).with_context(|| format!("running {}", file.display()))?;
    let table = EmbeddingFile {
        embeddings: embeddings.table(&set.images.labels)?,
        gallery: None,
        names: Names {
            classes: set.images.classes.clone(),
            files: set.names.clone(),
        },
    };
    if let Some(file) = &arguments.export {
        write_npz(file, &table.embeddings.view()?, None, &table.names)?;
    }
    notes.extend(embedder.assumed().iter().cloned());
    table::judge_rows(
        arguments,
        &table,
        (&super::last_name(file), embedder.distance()),
        notes,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_sizes_are_read_as_they_are_written() {
        let told = Pixels::parse("0.5,0.4,0.3/0.2,0.2,0.25").unwrap();
        assert_eq!((told.mean.len(), told.std[2]), (3, 0.25));
        assert_eq!(Pixels::parse("-1..1").unwrap().std, [0.5]);
        for wrong in ["", "1..2", "0.5,0.5/0.2", "0.5/0", "a/b", "0.5/nan"] {
            assert!(Pixels::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("224"), Ok((224, 224)));
        assert_eq!(size("112x96"), Ok((112, 96)));
        for wrong in ["", "0", "x", "12x", "5000", "1x2x3"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
