//! Lake's one-shot trials by a model, and by raw pixels.

use anyhow::{Context, Result, ensure};
use siamese_core::Model;
use siamese_core::metrics::fewshot::{LakeTrials, Trials, lake_trials};
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::metrics::{BootstrapConfig, Distance, Metric};
use siamese_data::{ImageSet, OneShotRun};
use siamese_embed::embed;

/// Plays the runs with a model: a test image goes to the training image that is nearest by the model's distance.
///
/// Grey images are given to a model of several channels in each of them.
///
/// # Errors
/// When the images are not of the model's size, or a run has no trial.
pub fn one_shot_trials(
    model: &Model,
    runs: &[OneShotRun],
    bootstrap: &BootstrapConfig,
) -> Result<LakeTrials> {
    let channels = model.tower.config().input.channels();
    play(runs, &model.metric()?, bootstrap, |images| {
        let images = spread(images, channels)?;
        let all: Vec<u32> = (0..images.len() as u32).collect();
        Ok(embed(&model.tower, &images, &all)?.table(&images.labels)?)
    })
}

/// Plays the runs by the cosine distance of raw pixels, ink being 1 and paper 0: the baseline, 87 of Lake's 400.
///
/// # Errors
/// When a run has no trial, or test and training images differ in size.
pub fn raw_pixel_trials(runs: &[OneShotRun], bootstrap: &BootstrapConfig) -> Result<LakeTrials> {
    play(runs, &Distance::Cosine.into(), bootstrap, |images| {
        let pixels = all_pixels(images)?;
        let ink = |p: &u8| f32::from(u8::from(*p < 128));
        Ok(EmbeddingTable {
            values: pixels.iter().map(ink).collect(),
            dim: images.image_len(),
            labels: images.labels.clone(),
        })
    })
}

fn play(
    runs: &[OneShotRun],
    metric: &Metric,
    bootstrap: &BootstrapConfig,
    represent: impl Fn(&ImageSet) -> Result<EmbeddingTable>,
) -> Result<LakeTrials> {
    let trials = |run: &OneShotRun| {
        let (training, test) = (represent(&run.training)?, represent(&run.test)?);
        let (shown, asked) = (training.view()?, test.view()?);
        ensure!(
            shown.dim() == asked.dim(),
            "test and training images differ in size"
        );
        let distances = asked
            .rows()
            .flat_map(|row| shown.rows().map(move |other| metric.of(row, other)))
            .collect();
        Ok(Trials {
            distances,
            truth: test.labels.iter().map(|&class| class as usize).collect(),
        })
    };
    let trials = runs
        .iter()
        .map(|run| trials(run).with_context(|| run.name.clone()))
        .collect::<Result<Vec<_>>>()?;
    Ok(lake_trials(&trials, bootstrap)?)
}

/// Grey images with their value in each of `channels`.
fn spread(images: &ImageSet, channels: usize) -> Result<ImageSet> {
    let pixels = all_pixels(images)?
        .into_iter()
        .flat_map(|p| std::iter::repeat_n(p, channels))
        .collect();
    let (labels, classes) = (images.labels.clone(), images.classes.clone());
    let (height, width) = (images.height, images.width);
    Ok(ImageSet::new(
        height, width, channels, pixels, labels, classes,
    )?)
}

fn all_pixels(images: &ImageSet) -> Result<Vec<u8>> {
    let mut pixels = Vec::with_capacity(images.len() * images.image_len());
    for i in 0..images.len() {
        pixels.extend_from_slice(&images.image(i)?);
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use siamese_data::{bundled_one_shot_runs, read_one_shot_runs};

    #[test]
    fn raw_pixels_get_87_of_lakes_400_trials() -> Result<()> {
        let runs = read_one_shot_runs(&bundled_one_shot_runs()?, None)?;
        let result = raw_pixel_trials(&runs, &BootstrapConfig::default())?;
        assert_eq!(
            (result.correct.iter().sum::<usize>(), result.trials),
            (87, 400)
        );
        assert_eq!(result.correct.len(), 20);
        let interval = result.accuracy.interval.context("no interval")?;
        assert!(interval.low < 0.2175 && 0.2175 < interval.high);
        Ok(())
    }

    #[test]
    fn grey_becomes_every_channel() -> Result<()> {
        let grey = ImageSet::new(1, 2, 1, vec![3, 9], vec![0], vec!["a".into()])?;
        assert_eq!(*spread(&grey, 3)?.image(0)?, [3, 3, 3, 9, 9, 9]);
        Ok(())
    }
}
