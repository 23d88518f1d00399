//! What a report shows of an evaluation.

use anyhow::Result;
use siamese_core::{Distance, metrics};
use siamese_data::{ImageSet, Pair};
use siamese_report::{
    CalibrationBin, ExamplePair, Figure, PairDistances, RocPoint, RunReport, Thumbnail,
};

use crate::maps::maps;
use crate::{Evaluation, JudgedPairs};

/// Pairs shown of each kind: like and unlike, right and wrong.
pub(crate) const EXAMPLES: usize = 6;
/// Longest side of a picture, in pixels: it bounds the size of the page.
const PICTURE: u32 = 128;
/// Points of the ROC curve that are drawn.
const CURVE: usize = 400;

impl Evaluation {
    /// Fills the report's sections that come from an evaluation; `images` is the set that was judged.
    ///
    /// # Errors
    /// When the images cannot be shown.
    pub fn fill(&self, report: &mut RunReport, images: &ImageSet) -> Result<()> {
        report.figures = self.report_figures();
        let threshold = Some(f64::from(self.threshold));
        self.judged.fill(report, self.distance, threshold);
        let seen = self.reliability.iter().filter(|bin| bin.pairs > 0);
        report.calibration = seen.map(calibration_bin).collect();
        report.examples = self.examples(images)?;
        report.embedding_maps = maps(self, images)?;
        self.retrieval.fill(report, images)
    }

    /// The figures as reports and model cards hold them.
    pub fn report_figures(&self) -> Vec<Figure> {
        report_figures(&self.figures)
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
            called_same: distance < self.threshold,
            distance: f64::from(distance),
            probability: self.calibration.as_ref().map(|c| c.probability(distance)),
        })
    }
}

impl JudgedPairs {
    /// Fills the report's histogram and ROC curve.
    pub(crate) fn fill(&self, report: &mut RunReport, distance: Distance, threshold: Option<f64>) {
        report.distances = Some(PairDistances {
            distance: distance.to_string(),
            like: self.of_kind(true),
            unlike: self.of_kind(false),
            threshold,
        });
        let points = self.curve.thinned(CURVE);
        report.roc = points.into_iter().map(roc_point).collect();
    }
}

/// Figures as reports and model cards hold them.
pub(crate) fn report_figures(figures: &[metrics::Figure]) -> Vec<Figure> {
    figures.iter().map(report_figure).collect()
}

fn report_figure(figure: &metrics::Figure) -> Figure {
    let shown = Figure::new(&figure.name, figure.value);
    match figure.interval {
        Some(interval) => shown.with_interval(interval.low, interval.high),
        None => shown,
    }
}

fn roc_point(point: metrics::verification::RocPoint) -> RocPoint {
    RocPoint {
        threshold: f64::from(point.threshold),
        far: point.far,
        tar: point.tar,
    }
}

fn calibration_bin(bin: &metrics::calibration::ReliabilityBin) -> CalibrationBin {
    CalibrationBin {
        predicted: bin.mean_probability,
        observed: bin.like_share,
        count: bin.pairs,
    }
}

/// An image of the set as a report shows it.
pub(crate) fn thumbnail(images: &ImageSet, index: u32) -> Result<Thumbnail> {
    let pixels = images.image(index as usize)?.into_owned();
    let (width, height, channels) = (
        images.width as u32,
        images.height as u32,
        images.channels as u32,
    );
    Ok(Thumbnail::new(width, height, channels, pixels)?.shrunk(PICTURE))
}

/// The name of an image's class.
pub(crate) fn class_name(images: &ImageSet, index: u32) -> String {
    let label = images.labels[index as usize];
    let name = images.classes.get(label as usize);
    name.cloned().unwrap_or_else(|| label.to_string())
}
