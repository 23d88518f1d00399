//! Whether settings, images and network fit each other: what is asked before a run begins.

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use siamese_core::{Objective, Tower};

use crate::config::TrainConfig;
use crate::data::TrainingData;
use crate::stopping::Monitor;

/// The layer that makes the embedding.
pub(crate) const LAST: [&str; 2] = ["head.weight", "head.bias"];

pub(crate) fn check_images(config: &TrainConfig, data: &TrainingData) -> Result<()> {
    let (input, images) = (&config.tower.input, &data.images);
    ensure!(
        (input.height, input.width, input.channels())
            == (images.height, images.width, images.channels),
        "the images are {}x{}x{}, the tower takes {}x{}x{}",
        images.height,
        images.width,
        images.channels,
        input.height,
        input.width,
        input.channels()
    );
    // a size, a mean and a deviation that an image can be normalised by
    input.to_tensor(&images.image(0)?, &Device::Cpu)?;
    let training = data.training_images();
    let size = (training.height, training.width);
    ensure!(
        config
            .augment
            .cached_size
            .is_none_or(|cached| cached == size),
        "augment.cached_size is {:?}, but the images to train on are {}x{}",
        config.augment.cached_size.unwrap_or_default(),
        size.0,
        size.1
    );
    Ok(())
}

pub(crate) fn check_monitor(config: &TrainConfig, objective: &Objective) -> Result<()> {
    let judged = objective.validation_loss(&[0.0, 1.0], &[true, false]);
    ensure!(
        config.stopping.monitor != Monitor::Loss || judged.is_some(),
        "stopping.monitor is \"loss\", but {} has no loss of validation pairs: choose \"auc\" or \"eer\"",
        config.objective
    );
    Ok(())
}

/// Whether a run can start from a whitening: the last layer is square, and follows features that stay as they are.
pub(crate) fn check_whitening(config: &TrainConfig, tower: &Tower) -> Result<()> {
    if config.whiten.is_none() {
        return Ok(());
    }
    let of = &config.tower;
    ensure!(
        of.frozen.as_deref() == Some("body") && of.hidden.is_empty() && of.projection,
        "whiten makes the layer after a frozen body: say tower.frozen = \"body\", no tower.hidden, and tower.projection = true"
    );
    ensure!(
        config.augment.is_identity() && config.data.turned.is_none() && !config.data.unlabelled,
        "whiten is of the training images as they are, by their classes: leave out augment, data.turned and data.unlabelled"
    );
    let all = tower.parameters().all();
    let last = all.iter().find(|(name, _)| name == LAST[0]);
    let (_, last) = last.context("the tower has no last layer")?;
    let (embedding, features) = last.dims2()?;
    ensure!(
        embedding == features,
        "whiten keeps the number of features: set tower.embedding to {features}, it is {embedding}"
    );
    Ok(())
}
