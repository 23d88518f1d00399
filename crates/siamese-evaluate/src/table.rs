//! Embeddings from anywhere: judged without the model that made them.

use anyhow::{Context, Result};
use siamese_core::Distance;
use siamese_core::metrics::classify::{accuracy_figure, centroid_classify, knn_classify};
use siamese_core::metrics::npz::{EmbeddingFile, EmbeddingTable};
use siamese_core::metrics::retrieval::{RetrievalConfig, retrieval};
use siamese_core::metrics::verification::{
    FittedThreshold, Target, fit_threshold, verification_figures,
};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_data::{Pair, evaluation_pairs, stratified_split};

use crate::evaluation::EvaluateConfig;
use crate::retrieval::VOTERS;

/// The figures of embeddings that another framework made.
pub struct TableEvaluation {
    /// All figures under their standard names, with intervals.
    pub figures: Vec<Figure>,
    /// Fitted to pairs of one half of the embeddings; the verification figures are of the other half.
    pub threshold: FittedThreshold,
}

/// Judges embeddings by their labels alone.
///
/// Verification: half of each label's embeddings fits the threshold to `target`, pairs of the other half are reported.
/// Retrieval: each embedding is asked about among all others, or, if the file has a gallery, in the gallery.
///
/// # Errors
/// When no label has enough embeddings for that, or one is not finite.
pub fn evaluate_table(
    file: &EmbeddingFile,
    distance: Distance,
    target: Target,
    config: &EvaluateConfig,
) -> Result<TableEvaluation> {
    let table = &file.embeddings;
    let bootstrap = BootstrapConfig {
        seed: config.seed,
        ..Default::default()
    };
    let (reported, fitting) = stratified_split(&table.labels, 0.5, config.seed)?;
    let pairs =
        |indices: &[u32]| evaluation_pairs(&table.labels, indices, config.pairs, config.seed);
    let fitted = pairs(&fitting).context("drawing pairs to fit the threshold on")?;
    let like: Vec<bool> = fitted.iter().map(|pair| pair.like).collect();
    let threshold = fit_threshold(&distances(table, &fitted, distance), &like, target)
        .context("fitting the threshold")?;
    let judged = pairs(&reported).context("drawing pairs to report on")?;
    let label = |i: u32| table.labels[i as usize];
    let labels: Vec<(u32, u32)> = judged
        .iter()
        .map(|pair| (label(pair.a), label(pair.b)))
        .collect();
    let measured = distances(table, &judged, distance);
    let mut figures = verification_figures(&measured, &labels, threshold.value, &bootstrap)?;
    figures.extend(ranked(file, distance, &bootstrap)?);
    Ok(TableEvaluation { figures, threshold })
}

fn ranked(
    file: &EmbeddingFile,
    distance: Distance,
    bootstrap: &BootstrapConfig,
) -> Result<Vec<Figure>> {
    let metric = distance;
    let probes = file.embeddings.view()?;
    let gallery = file
        .gallery
        .as_ref()
        .map(EmbeddingTable::view)
        .transpose()?;
    let config = RetrievalConfig {
        metric,
        ks: vec![1, 5, 10],
        bootstrap: *bootstrap,
        ..Default::default()
    };
    let mut figures = retrieval(&probes, gallery.as_ref(), &config)?.figures;
    let truth = probes.labels();
    let voted = knn_classify(&probes, gallery.as_ref(), metric, VOTERS)?;
    figures.push(accuracy_figure("knn_accuracy", truth, &voted, bootstrap)?);
    let centroids = centroid_classify(&probes, gallery.as_ref(), metric)?;
    figures.push(accuracy_figure(
        "nearest_centroid_accuracy",
        truth,
        &centroids,
        bootstrap,
    )?);
    Ok(figures)
}

fn distances(table: &EmbeddingTable, pairs: &[Pair], distance: Distance) -> Vec<f32> {
    let row = |i: u32| &table.values[i as usize * table.dim..][..table.dim];
    pairs
        .iter()
        .map(|pair| distance.of(row(pair.a), row(pair.b)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two labels on two sides of a line, with a little spread.
    fn file(gap: f32) -> EmbeddingFile {
        let values = (0..40)
            .flat_map(|i| [(i % 2) as f32 * gap + (i / 2) as f32 * 0.01, 0.0])
            .collect();
        EmbeddingFile {
            embeddings: EmbeddingTable {
                values,
                dim: 2,
                labels: (0..40).map(|i| i % 2).collect(),
            },
            gallery: None,
        }
    }

    fn value(evaluation: &TableEvaluation, name: &str) -> f64 {
        siamese_core::metrics::find(&evaluation.figures, name)
            .map_or(f64::NAN, |figure| figure.value)
    }

    #[test]
    fn labels_far_apart_are_told_apart_and_mixed_ones_are_not() -> Result<()> {
        let config = EvaluateConfig {
            pairs: 100,
            seed: 1,
        };
        let judge = |file: &EmbeddingFile| {
            evaluate_table(file, Distance::Euclidean, Target::BestAccuracy, &config)
        };
        let apart = judge(&file(1.0))?;
        assert_eq!(
            (value(&apart, "roc_auc"), value(&apart, "recall_at_1")),
            (1.0, 1.0)
        );
        assert!(apart.threshold.value > 0.19 && apart.threshold.value < 1.0);
        let mixed = judge(&file(0.0))?;
        assert!(value(&mixed, "roc_auc") < 0.7);
        Ok(())
    }

    #[test]
    fn a_gallery_is_searched_instead_of_the_set_itself() -> Result<()> {
        let mut file = file(1.0);
        // a gallery whose labels are the wrong way round
        let mut gallery = file.embeddings.clone();
        gallery
            .labels
            .iter_mut()
            .for_each(|label| *label = 1 - *label);
        file.gallery = Some(gallery);
        let config = EvaluateConfig {
            pairs: 100,
            seed: 1,
        };
        let evaluation = evaluate_table(&file, Distance::Euclidean, Target::Eer, &config)?;
        assert_eq!(value(&evaluation, "recall_at_1"), 0.0);
        Ok(())
    }
}
