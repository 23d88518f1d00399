//! Fitting a model's threshold anew, to another target or on other images.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use siamese_core::metrics::UnlikeTail;
use siamese_core::metrics::verification::Target;
use siamese_core::{Metric, Model, Threshold};
use siamese_data::{ImageSet, Pair};
use siamese_embed::{Embeddings, embed};

use crate::pairs::JudgedPairs;

/// Fits threshold and probability to pairs of images that nothing will be reported on.
///
/// `fitted_on` says in words which pairs these are; it travels in the model file.
///
/// # Errors
/// When the images do not fit the model, all pairs are of one kind, or they are too few for the target.
pub fn fit_threshold(
    model: &Model,
    images: &ImageSet,
    pairs: Vec<Pair>,
    target: Target,
    fitted_on: String,
) -> Result<Threshold> {
    let used: BTreeSet<u32> = pairs.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    let indices: Vec<u32> = used.into_iter().collect();
    let embeddings = embed(&model.tower, images, &indices)?;
    let metric = model.metric()?;
    let judged = JudgedPairs::new(&embeddings, pairs, &metric)?;
    Ok(Threshold {
        unlike: judged.unlike_tail(&embeddings, (&images.labels, &indices), &metric)?,
        ..judged.threshold(model, target, fitted_on)?
    })
}

impl JudgedPairs {
    /// The threshold and the probability that suit these pairs, which `model` has judged.
    ///
    /// # Errors
    /// When the pairs are too few for the target.
    pub fn threshold(&self, model: &Model, target: Target, fitted_on: String) -> Result<Threshold> {
        let fitted = self.curve.fit(target).context("fitting the threshold")?;
        Ok(Threshold {
            value: f64::from(fitted.value),
            target: target_in_words(target),
            fitted_on,
            calibration: Some(self.calibrate()?),
            unlike: self.own_unlike_tail(),
            distance: model.distance,
            weights: model.fingerprint()?,
        })
    }
}

impl JudgedPairs {
    /// How near unlike pairs come: all that there are of the images at `indices`, which were embedded, where the pairs are of
    /// classes (`labels` are those of all images); else the unlike ones of these pairs. `None` where too few tell.
    ///
    /// # Errors
    /// When other images were embedded.
    pub fn unlike_tail(
        &self,
        embeddings: &Embeddings,
        (labels, indices): (&[u32], &[u32]),
        metric: &Metric,
    ) -> Result<Option<UnlikeTail>> {
        let label = |image: u32| labels.get(image as usize).copied();
        let of_classes = |pair: &Pair| pair.like == (label(pair.a) == label(pair.b));
        if !self.pairs.iter().all(of_classes) {
            return Ok(self.own_unlike_tail());
        }
        let embedded: Vec<u32> = indices.iter().filter_map(|&i| label(i)).collect();
        let table = embeddings.table(&embedded)?;
        Ok(UnlikeTail::of(&table.view()?, metric).ok())
    }

    fn own_unlike_tail(&self) -> Option<UnlikeTail> {
        let pairs = self.pairs.iter().zip(&self.distances);
        let unlike: Vec<f32> = pairs
            .filter(|(pair, _)| !pair.like)
            .map(|(_, d)| *d)
            .collect();
        UnlikeTail::of_distances(&unlike).ok()
    }
}

/// What a threshold was fitted to, in words.
pub fn target_in_words(target: Target) -> String {
    match target {
        Target::BestAccuracy => "best accuracy".into(),
        Target::Eer => "equal error rate".into(),
        Target::Far(far) => format!("FAR of at most {far}"),
        Target::Distance(at) => format!("told to be {at}"),
    }
}

/// The images of every second class, and those of the others: to fit on, and to report on.
pub fn halve_classes(labels: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let classes: BTreeSet<u32> = labels.iter().copied().collect();
    let fitting: BTreeSet<u32> = classes.into_iter().skip(1).step_by(2).collect();
    (0..labels.len() as u32).partition(|&i| fitting.contains(&labels[i as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_share_no_class_and_leave_no_image_out() {
        let labels = [5, 7, 7, 9, 12, 5];
        let (fitting, reported) = halve_classes(&labels);
        assert_eq!(fitting, [1, 2, 4]);
        assert_eq!(reported, [0, 3, 5]);
    }
}
