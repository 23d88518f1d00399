//! What is still to do where no margin says it: the anchors whose nearest image is of another class.

use candle_core::{Result, Tensor};

use super::pairing::Pairing;
use super::rows::{has_any, largest, weighted_mean};

/// The share of the anchors with a like one whose most similar image is not of their class; `similarities` as the
/// pairing's shape, larger means more alike.
pub(super) fn missed(similarities: &Tensor, pairing: &Pairing) -> Result<Tensor> {
    let Pairing { like, unlike } = pairing;
    let best = largest(similarities, like)?;
    let missed = largest(similarities, unlike)?.ge(&best)?;
    weighted_mean(&missed.to_dtype(like.dtype())?, &has_any(like)?)
}
