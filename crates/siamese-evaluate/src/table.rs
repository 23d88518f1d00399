//! Embeddings from anywhere: judged without the model that made them.

use anyhow::{Context, Result};
use rayon::prelude::*;
use siamese_core::Distance;
use siamese_core::metrics::npz::{EmbeddingFile, EmbeddingTable};
use siamese_core::metrics::verification::{FittedThreshold, Target, needs_threshold};
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_data::{Pair, stratified_split};
use siamese_report::{RunReport, SetFigures};

use crate::drawn::{AllPairs, drawn_pairs, fitting_pairs};
use crate::evaluation::EvaluateConfig;
use crate::maps::maps_of;
use crate::notes::{rate_notes, swapped_note, uneven, verdict};
use crate::pairs::JudgedPairs;
use crate::retrieval::Retrieval;
use crate::twins::{gallery_note, row_prints, twins_note};

/// The figures of embeddings that another framework made.
pub struct TableEvaluation {
    /// Figures that need no threshold, under their standard names, with intervals: of all embeddings.
    pub figures: Vec<Figure>,
    /// Figures at a threshold, or why there are none.
    pub at_threshold: Result<AtThreshold>,
    /// The pairs that the figures are of.
    pub judged: JudgedPairs,
    /// What retrieval and neighbours make of them.
    pub retrieval: Retrieval,
    /// What to know of the figures.
    pub notes: Vec<String>,
}

/// Figures at a threshold: it is fitted on one half of each label's embeddings, they are of the other half.
pub struct AtThreshold {
    /// The threshold.
    pub threshold: FittedThreshold,
    /// The figures, under their standard names, with intervals.
    pub figures: Vec<Figure>,
    /// The pairs that they are of.
    pub judged: JudgedPairs,
}

/// Judges embeddings by their labels alone.
///
/// Figures that need no threshold are of pairs of all embeddings. For those that do, half of each label's embeddings
/// fits it to `target`, and pairs of the other half are reported. Retrieval: each embedding is asked about among all
/// others, or, if the file has a gallery, in the gallery.
///
/// # Errors
/// When there is no like or no unlike pair, or an embedding is not finite.
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
    let all: Vec<u32> = (0..table.labels.len() as u32).collect();
    let mut judged = judge(table, &all, distance, (config.pairs, config.seed))?;
    judged.all = AllPairs::of(table, judged.counts(), distance, config.seed)?;
    let mut figures = judged.figures(&table.labels, None, &bootstrap)?;
    let mut notes = rate_notes(&figures, &judged);
    notes.extend(uneven(&judged));
    notes.extend(swapped_note(
        &figures,
        "are these the labels of these rows, and is it a distance (--distance)?",
    ));
    let retrieval = Retrieval::in_gallery(table, file.gallery.as_ref(), distance, &bootstrap)?;
    figures.extend(retrieval.figures.iter().cloned());
    notes.extend(retrieval.note());
    let prints = row_prints(table);
    notes.extend(twins_note(&prints, &table.labels, "embeddings"));
    let gallery = file.gallery.as_ref().map(row_prints);
    notes.extend(gallery.and_then(|gallery| gallery_note(&prints, &gallery)));
    Ok(TableEvaluation {
        figures,
        at_threshold: at_threshold(table, distance, target, config),
        judged,
        retrieval,
        notes,
    })
}

impl TableEvaluation {
    /// Fills the report's table and its sections that need no picture.
    ///
    /// # Errors
    /// When the map cannot be made.
    pub fn fill(
        &self,
        report: &mut RunReport,
        file: &EmbeddingFile,
        (distance, seed): (Distance, u64),
    ) -> Result<()> {
        report.figures = vec![SetFigures::on("all embeddings", self.figures.clone())];
        if let Ok(at) = &self.at_threshold {
            let half = SetFigures::on("half not fitted on", at.figures.clone());
            report.figures.push(half);
        }
        report.verdict = verdict(&self.figures);
        self.judged.fill(report, distance, None);
        let classes = &file.names.classes;
        let name = |label: u32| match classes.get(label as usize) {
            Some(name) => name.clone(),
            None => label.to_string(),
        };
        report.confusion = Some(self.retrieval.confusion_map(name, None));
        report.embedding_maps = maps_of(&file.embeddings, (distance, seed), name, |_| Ok(None))?;
        Ok(())
    }
}

/// Fits the threshold on one half of each label, and judges the other at it.
fn at_threshold(
    table: &EmbeddingTable,
    distance: Distance,
    target: Target,
    config: &EvaluateConfig,
) -> Result<AtThreshold> {
    let (reported, fitting) = stratified_split(&table.labels, 0.5, config.seed)?;
    let halved = || {
        let most = most_rows(&table.labels);
        format!(
            "a threshold is fitted on one half of each label's rows and judged on the other, so that labels need four \
             rows (the largest has {most})"
        )
    };
    let judge = |half: &[u32], count| judge(table, half, distance, (count, config.seed));
    let fitted = judge(&fitting, fitting_pairs(config.pairs, target)).with_context(halved)?;
    let threshold = fitted.curve.fit(target).context("fitting the threshold")?;
    let judged = judge(&reported, config.pairs).with_context(halved)?;
    let bootstrap = BootstrapConfig {
        seed: config.seed,
        ..Default::default()
    };
    let mut figures = judged.figures(&table.labels, Some(threshold.value), &bootstrap)?;
    figures.retain(|figure| needs_threshold(&figure.name));
    Ok(AtThreshold {
        threshold,
        figures,
        judged,
    })
}

/// Draws pairs of the rows `indices` and measures them.
fn judge(
    table: &EmbeddingTable,
    indices: &[u32],
    distance: Distance,
    (count, seed): (usize, u64),
) -> Result<JudgedPairs> {
    let pairs = drawn_pairs(&table.labels, indices, count, seed).context("drawing pairs")?;
    let row = |i: u32| &table.values[i as usize * table.dim..][..table.dim];
    let measure = |pair: &Pair| distance.of(row(pair.a), row(pair.b));
    let distances = pairs.par_iter().map(measure).collect();
    JudgedPairs::of(pairs, distances)
}

fn most_rows(labels: &[u32]) -> usize {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b).map(<[u32]>::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use siamese_core::metrics::npz::Names;

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
            names: Names::default(),
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
        let at = apart.at_threshold?;
        assert!(at.threshold.value > 0.19 && at.threshold.value < 1.0);
        assert!(siamese_core::metrics::find(&at.figures, "accuracy").is_some());
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
        let leak = "40 of the 40 probes are in the gallery too";
        assert!(evaluation.notes.iter().any(|note| note.starts_with(leak)));
        Ok(())
    }

    #[test]
    fn figures_of_neighbours_are_all_of_the_embeddings_that_have_one_to_be_found() -> Result<()> {
        // Six labels of ten and sixty of one; a lone one stands in the middle of each group.
        let mut file = file(1.0);
        file.embeddings = EmbeddingTable {
            values: (0..120)
                .map(|i| (i % 60 / 10) as f32 + (i % 10) as f32 * 0.01)
                .collect(),
            dim: 1,
            labels: (0..120).map(|i| if i < 60 { i / 10 } else { i }).collect(),
        };
        let config = EvaluateConfig {
            pairs: 100,
            seed: 1,
        };
        let evaluation = evaluate_table(&file, Distance::Euclidean, Target::Eer, &config)?;
        let said = evaluation.notes.join("\n");
        assert!(
            said.contains("of the 60 that have another") && said.contains("60 are alone"),
            "{said}"
        );
        // Each lone embedding lies exactly on one of a group: of those groups' own the nearest is never right.
        assert_eq!(
            value(&evaluation, "precision_at_1"),
            value(&evaluation, "recall_at_1")
        );
        let rows: u32 = evaluation
            .retrieval
            .confusion
            .counts
            .iter()
            .map(|(_, _, count)| count)
            .sum();
        assert_eq!(rows, 60, "the confusion is of the same");
        Ok(())
    }

    #[test]
    fn figures_that_need_no_threshold_are_of_everything() -> Result<()> {
        use siamese_core::metrics::verification::RocCurve;
        let file = file(0.1);
        let config = EvaluateConfig {
            pairs: usize::MAX,
            seed: 1,
        };
        let evaluation = evaluate_table(&file, Distance::Euclidean, Target::Eer, &config)?;
        let (rows, mut distances, mut like) = (file.embeddings.view()?, vec![], vec![]);
        for a in 0..40 {
            for b in a + 1..40 {
                distances.push(Distance::Euclidean.of(rows.row(a), rows.row(b)));
                like.push(rows.labels()[a] == rows.labels()[b]);
            }
        }
        let curve = RocCurve::new(&distances, &like)?;
        assert_eq!(value(&evaluation, "roc_auc"), curve.roc_auc());
        assert_eq!(
            value(&evaluation, "average_precision"),
            curve.average_precision()
        );
        assert!(value(&evaluation, "accuracy").is_nan());
        let at = evaluation.at_threshold?;
        assert_eq!(at.judged.pairs.len(), 190, "all pairs of the other half");
        Ok(())
    }

    #[test]
    fn two_labels_of_two_rows_have_figures_but_no_threshold() -> Result<()> {
        let mut file = file(1.0);
        file.embeddings = EmbeddingTable {
            values: vec![0.0, 0.1, 1.0, 1.1],
            dim: 1,
            labels: vec![0, 0, 1, 1],
        };
        let config = EvaluateConfig {
            pairs: 100,
            seed: 1,
        };
        let evaluation = evaluate_table(&file, Distance::Euclidean, Target::Eer, &config)?;
        assert_eq!(value(&evaluation, "roc_auc"), 1.0);
        let said = evaluation.at_threshold.map(|_| ()).unwrap_err().to_string();
        assert!(
            said.contains("labels need four rows (the largest has 2)"),
            "{said}"
        );
        Ok(())
    }
}
