//! The weights of a model on the hub.

use std::path::PathBuf;

use super::options::HubOptions;
use super::repo::HubRepo;
use crate::{DataError, Progress};

/// What a model's weights are called there.
const WEIGHTS: &str = "model.safetensors";
/// What describes them: timm writes size and normalisation of the pictures into it.
const SETTINGS: &str = "config.json";

/// The weights of the model `name` in the hub's cache, fetched first where they are not there; its settings, where it
/// has any, lie beside them.
///
/// # Errors
/// Any [`DataError`] of the network; one where the repository has no `model.safetensors`.
pub fn fetch_weights(
    name: &str,
    options: &HubOptions,
    progress: Progress,
) -> Result<PathBuf, DataError> {
    let repo = HubRepo::model(name, options);
    if cached_weights(name, options).is_some() {
        // where it is damaged it is fetched again
        return repo.get(WEIGHTS, progress);
    }
    let files = repo.files(progress)?;
    if !files.iter().any(|file| file == WEIGHTS) {
        return Err(DataError::unrecognised(
            &PathBuf::from(format!("hf:{name}")),
            "the repository has no model.safetensors",
            "name one that has, such as timm/resnet50.tv_in1k",
        ));
    }
    if files.iter().any(|file| file == SETTINGS) {
        repo.get(SETTINGS, progress)?;
    }
    repo.get(WEIGHTS, progress)
}

/// The weights of the model `name`, where they are in the hub's cache; the network is not asked.
pub fn cached_weights(name: &str, options: &HubOptions) -> Option<PathBuf> {
    options.check().ok()?;
    HubRepo::model(name, options).cached(WEIGHTS)
}
