//! What a report shows of an evaluation.

use anyhow::Result;
use siamese_core::metrics::calibration::ReliabilityBin;
use siamese_core::metrics::verification::is_same;
use siamese_data::{ImageSet, Pair};
use siamese_report::{CalibrationBin, ExamplePair, RunReport, SetFigures};

use crate::evaluation::Evaluation;
use crate::maps::maps;
use crate::notes::verdict;
use crate::pairs::EXAMPLES;
use crate::pictures::{class_name, thumbnail};

impl Evaluation {
    /// Fills the report's sections that come from an evaluation; `images` is the set that was judged.
    ///
    /// # Errors
    /// When the images cannot be shown.
    pub fn fill(&self, report: &mut RunReport, images: &ImageSet) -> Result<()> {
        report.figures = vec![SetFigures::new(self.figures.clone())];
        report.verdict = verdict(&self.figures);
        self.judged
            .fill(report, self.distance, Some(self.threshold));
        let seen = self.reliability.iter().filter(|bin| bin.pairs > 0);
        report.calibration = seen.map(calibration_bin).collect();
        report.examples = self.examples(images)?;
        report.embedding_maps = maps(self, images)?;
        match &self.retrieval {
            Some(retrieval) => retrieval.fill(report, images),
            None => Ok(()),
        }
    }

    /// The pairs that say most.
    fn examples(&self, images: &ImageSet) -> Result<Vec<ExamplePair>> {
        let (pairs, distances) = (&self.judged.pairs, &self.judged.distances);
        let telling = self.judged.telling(self.threshold, EXAMPLES);
        telling
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
            like: pair.like,
            called_same: is_same(distance, self.threshold),
            distance: f64::from(distance),
            probability: self.calibration.as_ref().map(|c| c.probability(distance)),
        })
    }
}

fn calibration_bin(bin: &ReliabilityBin) -> CalibrationBin {
    CalibrationBin {
        predicted: bin.mean_probability,
        observed: bin.like_share,
        count: bin.pairs,
    }
}
