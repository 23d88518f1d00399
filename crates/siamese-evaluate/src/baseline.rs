//! What no learning gives: the pixels themselves, compared.

use anyhow::Result;
use rayon::prelude::*;
use siamese_core::metrics::{BootstrapConfig, Figure, find};
use siamese_data::ImageSet;

use crate::pairs::JudgedPairs;

/// The figure of the baseline.
pub(crate) const RAW_PIXELS: &str = "raw_pixel_roc_auc";

/// The ROC AUC of the same pairs by the Euclidean distance of their pixels, at the size that the model takes.
pub(crate) fn raw_pixels(
    images: &ImageSet,
    judged: &JudgedPairs,
    bootstrap: &BootstrapConfig,
) -> Result<Option<Figure>> {
    let distances: Vec<f32> = judged
        .pairs
        .par_iter()
        .map(|pair| {
            let (a, b) = (
                images.image(pair.a as usize)?,
                images.image(pair.b as usize)?,
            );
            Ok(pixel_distance(&a, &b))
        })
        .collect::<Result<_>>()?;
    let raw = JudgedPairs::of(judged.pairs.clone(), distances)?;
    let figures = raw.figures(&images.labels, None, bootstrap)?;
    Ok(as_baseline(&figures))
}

/// The Euclidean distance of two pictures' bytes.
pub(crate) fn pixel_distance(a: &[u8], b: &[u8]) -> f32 {
    let differences = a.iter().zip(b).map(|(&a, &b)| i64::from(a.abs_diff(b)));
    (differences.map(|d| d * d).sum::<i64>() as f32).sqrt()
}

/// The ROC AUC of these figures, under the baseline's name.
pub(crate) fn as_baseline(figures: &[Figure]) -> Option<Figure> {
    let auc = find(figures, "roc_auc").cloned();
    auc.map(|auc| Figure {
        name: RAW_PIXELS.into(),
        ..auc
    })
}
