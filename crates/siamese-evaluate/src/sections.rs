//! What a report shows of an evaluation.

use anyhow::Result;
use siamese_core::metrics::calibration::ReliabilityBin;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::verification::is_same;
use siamese_data::{ImageSet, Pair};
use siamese_report::{CalibrationBin, ExamplePair, RunReport, SetFigures};

use crate::evaluation::Evaluation;
use crate::maps::maps;
use crate::notes::verdict;
use crate::pairs::{EXAMPLES, JudgedPairs};
use crate::pictures::{class_name, file_name, thumbnail};
use crate::spread::{pairs_apart, spread_out};

/// For each example as many that it is chosen from.
const CANDIDATES: usize = 10;
/// Images nearer than this share of the threshold are the same to look at.
const REPEATS: f32 = 0.1;

impl Evaluation {
    /// Fills the report's sections that come from an evaluation; `images` is the set that was judged.
    ///
    /// # Errors
    /// When the images cannot be shown.
    pub fn fill(&self, report: &mut RunReport, images: &ImageSet) -> Result<()> {
        report.figures = vec![SetFigures::new(self.figures.clone())];
        report.verdict = verdict(&self.figures);
        self.judged.fill(report, &self.metric, Some(self.threshold));
        let seen = self.reliability.iter().filter(|bin| bin.pairs > 0);
        report.calibration = seen.map(calibration_bin).collect();
        let table = self.embeddings.table(&images.labels)?;
        let apart = |a: u32, b: u32| self.metric.of(row(&table, a), row(&table, b));
        let least = REPEATS * self.threshold.abs();
        report.examples = self.examples(images, least, apart)?;
        report.embedding_maps = maps(self, images)?;
        if let Some(retrieval) = &self.retrieval {
            report.neighbours = retrieval.sheets(images, least, apart)?;
            report.confusion = Some(retrieval.confusion_of(images));
        }
        Ok(())
    }

    /// The pairs that say most, each of something else.
    fn examples(
        &self,
        images: &ImageSet,
        least: f32,
        apart: impl Fn(u32, u32) -> f32,
    ) -> Result<Vec<ExamplePair>> {
        let (pairs, distances) = (&self.judged.pairs, &self.judged.distances);
        let apart = |i: usize, j: usize| pairs_apart(ends(&pairs[i]), ends(&pairs[j]), &apart);
        let shown = self
            .judged
            .telling_and_different(self.threshold, least, apart);
        shown
            .into_iter()
            .map(|i| self.example(images, &pairs[i], distances[i]))
            .collect()
    }

    fn example(&self, images: &ImageSet, pair: &Pair, distance: f32) -> Result<ExamplePair> {
        Ok(ExamplePair {
            left: thumbnail(images, pair.a)?,
            right: thumbnail(images, pair.b)?,
            left_label: class_name(images, pair.a),
            right_label: class_name(images, pair.b),
            left_file: file_name(images, pair.a),
            right_file: file_name(images, pair.b),
            like: pair.like,
            called_same: is_same(distance, self.threshold),
            distance: f64::from(distance),
            probability: self.calibration.as_ref().map(|c| c.probability(distance)),
        })
    }
}

impl JudgedPairs {
    /// Of the pairs that say most [`EXAMPLES`] of each kind that differ; `apart` is of two pairs, by their numbers.
    pub(crate) fn telling_and_different(
        &self,
        threshold: f32,
        least: f32,
        apart: impl Fn(usize, usize) -> f32,
    ) -> Vec<usize> {
        let kind = |&i: &usize| (self.pairs[i].like, is_same(self.distances[i], threshold));
        let telling = self.telling(threshold, CANDIDATES * EXAMPLES);
        let kinds = telling.chunk_by(|i, j| kind(i) == kind(j));
        kinds
            .flat_map(|candidates| spread_out(candidates, EXAMPLES, least, &apart))
            .collect()
    }
}

/// The images of a pair.
pub(crate) fn ends(pair: &Pair) -> [u32; 2] {
    [pair.a, pair.b]
}

fn row(table: &EmbeddingTable, index: u32) -> &[f32] {
    &table.values[index as usize * table.dim..][..table.dim]
}

fn calibration_bin(bin: &ReliabilityBin) -> CalibrationBin {
    CalibrationBin {
        predicted: bin.mean_probability,
        observed: bin.like_share,
        count: bin.pairs,
    }
}
