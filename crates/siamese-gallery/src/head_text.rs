//! A learned comparison as text: its weights as base64 of little-endian `f32`s, so that they come back to the bit.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siamese_core::metrics::{Combine, Comparison, Dense};

use crate::entry::{bytes_of, embedding_of};

#[derive(Serialize, Deserialize)]
struct Head {
    combine: Vec<Combine>,
    dim: usize,
    layers: Vec<Layer>,
}

#[derive(Serialize, Deserialize)]
struct Layer {
    weights: String,
    bias: String,
}

pub(crate) fn serialize<S: Serializer>(
    comparison: &Option<Arc<Comparison>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let text = |values: &[f32]| STANDARD.encode(bytes_of(values));
    let layer = |layer: &Dense| Layer {
        weights: text(&layer.weights),
        bias: text(&layer.bias),
    };
    let head = comparison.as_ref().map(|comparison| Head {
        combine: comparison.combine().to_vec(),
        dim: comparison.dim(),
        layers: comparison.layers().iter().map(layer).collect(),
    });
    head.serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Arc<Comparison>>, D::Error> {
    let Some(head) = Option::<Head>::deserialize(from)? else {
        return Ok(None);
    };
    let values = |text: &str| {
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        embedding_of(&bytes).ok_or_else(|| D::Error::custom("a weight of the head is cut"))
    };
    let layer = |layer: &Layer| {
        Ok(Dense {
            weights: values(&layer.weights)?,
            bias: values(&layer.bias)?,
        })
    };
    let layers = head.layers.iter().map(layer).collect::<Result<_, _>>()?;
    let comparison = Comparison::new(head.combine, head.dim, layers);
    Ok(Some(Arc::new(comparison.map_err(D::Error::custom)?)))
}
