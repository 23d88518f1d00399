//! What a run starts from: weights trained elsewhere, what their frozen part makes of the images, a whitening of that.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use candle_core::DType;
use siamese_core::Whitening;
use siamese_data::{HubOptions, Part, Progress};
use siamese_embed::Backbone;

use crate::checks::LAST;
use crate::event::Event;
use crate::frozen::Kept;
use crate::request::Request;
use crate::run::Run;

/// Takes the weights that the tower is to start from, and tells which were taken.
pub(crate) fn start_from_pretrained(run: &mut Run, request: &Request) -> Result<()> {
    let Some(name) = run.config.tower.pretrained.clone() else {
        return Ok(());
    };
    let hub = HubOptions::from_env();
    let found = Backbone::find(&name, &hub, Progress::default(), request.device)?;
    let loaded = run.tower.start_from(&found.pretrained, &name)?;
    run.begin_averages()?;
    (request.observe)(&Event::Pretrained {
        name: &name,
        loaded: &loaded,
    });
    Ok(())
}

/// Passes the images through the frozen part once, those to train on only where no augmentation changes them.
pub(crate) fn keep_frozen(run: &mut Run, request: &Request) -> Result<()> {
    let over = run.position.epoch >= run.config.epochs;
    // without labels every image that is looked at is a changed one
    if run.config.tower.frozen.is_none() || over || run.config.data.unlabelled {
        return Ok(());
    }
    let mut indices = run.divided.part(Part::Validation);
    if run.config.augment.is_identity() && run.config.data.turned.is_none() {
        indices.extend(run.divided.part(Part::Train));
    }
    let images = indices.len();
    (request.observe)(&Event::Freezing { images });
    let folder = run.folder.path();
    run.kept = Some(Kept::of(&run.tower, &run.images, &indices, folder)?);
    Ok(())
}

/// Makes the last layer the within-class whitening of the frozen features, where the run is to start so.
pub(crate) fn whiten(run: &mut Run) -> Result<()> {
    let Some(shrinkage) = run.config.whiten else {
        return Ok(());
    };
    let kept = run.kept.as_ref().context("nothing is frozen to whiten")?;
    let indices = run.divided.part(Part::Train);
    let parameters = run.tower.parameters();
    let features = kept.get(&indices, parameters.device())?.flatten_from(1)?;
    let width = features.dim(1)?;
    let features: Vec<f32> = features.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let labels = indices.iter().map(|&i| run.images.labels[i as usize]);
    let labels: Vec<u32> = labels.collect();
    let whitening = Whitening::of(&features, width, &labels, shrinkage).context("whiten")?;
    let (weight, bias) = whitening.layer(parameters.device())?;
    let layer = HashMap::from([(LAST[0].to_string(), weight), (LAST[1].to_string(), bias)]);
    let loaded = parameters.load_matching(&layer, str::to_string)?;
    ensure!(loaded.unused.is_empty() && loaded.misshapen.is_empty());
    run.begin_averages()
}
