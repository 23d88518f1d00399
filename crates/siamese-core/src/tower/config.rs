//! What a tower is made of.

use candle_core::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use siamese_files::limits::{CHANNELS, SIDE};

use super::body::Body;
use super::stages::Stages;
use crate::input::ImageInput;

/// What a tower is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerConfig {
    /// The images that it takes.
    pub input: ImageInput,
    /// What turns an image into features.
    pub body: Body,
    /// Weights that the body starts from, trained elsewhere: a safetensors file, or a name on the Hugging Face hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// The last part of the body that is not trained, by the name that its tensors begin with: `layer3`, `layer4.0`,
    /// or `body` for all of it. All before it is frozen with it, BatchNorm's statistics included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// Fully connected layers between the features and the embedding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Hidden>,
    /// Share of the flattened features that training drops before the last layer.
    #[serde(default)]
    pub dropout: f32,
    /// D, the length of an embedding.
    #[serde(default = "usual_embedding")]
    pub embedding: usize,
    /// Whether a linear layer makes the embedding; without one the features are it, and D is their number.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub projection: bool,
    /// Whether embeddings are scaled to unit length.
    #[serde(default = "yes")]
    pub normalize: bool,
}

/// A fully connected layer with ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Units.
    pub width: usize,
    /// Whether BatchNorm follows.
    #[serde(default)]
    pub norm: bool,
}

fn usual_embedding() -> usize {
    128
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

impl TowerConfig {
    /// System C's tower for 32×32 images: four stages of two convolutions, channels 32-64-128-256, a dropout of
    /// one half, an L2-normalised embedding of 128; 1,305,376 parameters.
    pub fn system_c() -> Self {
        Self {
            input: ImageInput::system_c(),
            body: Body::Stages(Stages::default()),
            pretrained: None,
            frozen: None,
            hidden: Vec::new(),
            dropout: 0.5,
            embedding: usual_embedding(),
            projection: true,
            normalize: true,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.embedding == 0 {
            bail!("a tower's embedding must be at least 1")
        }
        if self.hidden.iter().any(|hidden| hidden.width == 0) {
            bail!("tower.hidden has a layer of width 0, the least is 1")
        }
        if !(0.0..1.0).contains(&self.dropout) {
            bail!("dropout must be in 0..1, got {}", self.dropout)
        }
        let input = &self.input;
        let hidden = self.hidden.iter().map(|hidden| hidden.width);
        for width in hidden.chain([self.embedding, input.channels()]) {
            CHANNELS.check_len(width).map_err(Error::msg)?;
        }
        for side in [input.height, input.width] {
            SIDE.check_len(side).map_err(Error::msg)?;
        }
        Ok(())
    }
}
