//! A model on a labelled set of images: all figures and what they were made from.

use anyhow::{Context, Result};
use siamese_core::metrics::calibration::{
    self, Calibration, ReliabilityBin, brier, expected_calibration_error,
};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_core::{Distance, Metric, Model};
use siamese_data::{ImageSet, Pair, chosen_pairs};
use siamese_embed::{Embeddings, embed};

use crate::baseline::raw_pixels;
use crate::drawn::{AllPairs, drawn_pairs};
use crate::notes::{pixels_note, rate_notes, strange_note, swapped_note, uneven};
use crate::other::{Other, class_figures};
use crate::pairs::JudgedPairs;
use crate::retrieval::{Retrieval, too_long};
use crate::twins::{image_prints, twins_note};

/// Bins of the reliability plot.
const RELIABILITY_BINS: usize = 10;

/// How a model is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateConfig {
    /// Distinct pairs to draw, half of them like; all there are where those are fewer.
    pub pairs: usize,
    /// Seed of the pairs and of the bootstrap.
    pub seed: u64,
}

/// A model judged on a set of images.
pub struct Evaluation {
    /// What embeddings were compared by.
    pub metric: Metric,
    /// The distance between embeddings that the map is drawn by.
    pub distance: Distance,
    /// Below it two images are called the same; fitted elsewhere.
    pub threshold: f32,
    /// The model's probability of "same", fitted elsewhere.
    pub calibration: Option<Calibration>,
    /// How that probability compares with what was seen here.
    pub reliability: Vec<ReliabilityBin>,
    /// Every image's embedding, in the set's order.
    pub embeddings: Embeddings,
    /// Distinct pairs.
    pub judged: JudgedPairs,
    /// Each image asked about among all others; nothing where pairs are listed, which say nothing of others.
    pub retrieval: Option<Retrieval>,
    /// All figures under their standard names, with intervals.
    pub figures: Vec<Figure>,
    /// The seed of the pairs, of the bootstrap and of the report's map.
    pub seed: u64,
    /// What to know of the figures: which are left out and why, what they are of, what flatters them.
    pub notes: Vec<String>,
}

/// Judges a model on all images of a set, at the threshold that the model carries.
///
/// # Errors
/// When the images do not fit the model, the model carries no threshold, or the set makes no like or no unlike pair.
pub fn evaluate(model: &Model, images: &ImageSet, config: &EvaluateConfig) -> Result<Evaluation> {
    let indices: Vec<u32> = (0..images.len() as u32).collect();
    let pairs = drawn_pairs(&images.labels, &indices, config.pairs, config.seed)
        .context("drawing the pairs to judge the model by")?;
    judge(model, images, (pairs, false), config.seed)
}

/// As [`evaluate`], on listed pairs of the set's images: of at most as many as `config` says, half of them like, and of
/// no others.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_listed(
    model: &Model,
    images: &ImageSet,
    listed: &[Pair],
    config: &EvaluateConfig,
) -> Result<Evaluation> {
    let pairs = chosen_pairs(listed, config.pairs, config.seed);
    judge(model, images, (pairs, true), config.seed)
}

fn judge(
    model: &Model,
    images: &ImageSet,
    (pairs, listed): (Vec<Pair>, bool),
    seed: u64,
) -> Result<Evaluation> {
    let fitted = model
        .threshold
        .as_ref()
        .context("the model carries no threshold; fit one with --threshold-at accuracy")?;
    let threshold = fitted.value as f32;
    let indices: Vec<u32> = (0..images.len() as u32).collect();
    let embeddings = embed(&model.tower, images, &indices)?;
    let metric = model.metric()?;
    let mut judged = JudgedPairs::new(&embeddings, pairs, &metric)?;
    let table = embeddings.table(&images.labels)?;
    if !listed {
        judged.all = AllPairs::of(&table, judged.counts(), &metric, seed)?;
    }
    let bootstrap = BootstrapConfig {
        seed,
        ..Default::default()
    };
    let mut figures = judged.figures(&images.labels, Some(threshold), &bootstrap)?;
    let mut notes: Vec<String> = uneven(&judged).into_iter().collect();
    notes.extend(rate_notes(&figures, &judged));
    notes.extend(swapped_note(
        &figures,
        "are the images in the folders of their classes?",
    ));
    figures.extend(raw_pixels(images, &judged, &bootstrap)?);
    notes.extend(pixels_note(&figures));
    notes.extend(strange_note(model, images)?);
    let mut retrieval = None;
    let too_long = too_long(&metric, (table.labels.len(), table.dim));
    if !listed && too_long.is_none() {
        let asked = Retrieval::new(&table, &metric, &bootstrap)?;
        figures.extend(asked.figures.iter().cloned());
        notes.extend(asked.note());
        retrieval = Some(asked);
    }
    notes.extend(too_long.filter(|_| !listed));
    if let Some(classes) = &model.classes {
        let own = Other {
            embeddings: &embeddings,
            labels: &images.labels,
            pairs: &judged.pairs,
            metric: &metric,
            retrieval: retrieval.is_some(),
            seed,
        };
        figures.extend(class_figures(classes, images, &own)?);
    }
    notes.extend(twins_note(&image_prints(images)?, &images.labels, "images"));
    let mut reliability = Vec::new();
    if let Some(calibration) = &fitted.calibration {
        let (like, mix) = (judged.like(), judged.mix);
        let probabilities = calibration.probabilities(&judged.distances);
        reliability = calibration::reliability(&probabilities, &like, mix, RELIABILITY_BINS)?;
        figures.push(Figure::new("ece", expected_calibration_error(&reliability)));
        figures.push(Figure::new("brier", brier(&probabilities, &like, mix)?));
    }
    Ok(Evaluation {
        calibration: fitted.calibration.clone(),
        reliability,
        distance: model.distance,
        metric,
        threshold,
        embeddings,
        judged,
        retrieval,
        figures,
        seed,
        notes,
    })
}
