//! The collapse alarm: says within the first epoch that a tower maps every image to one point.
//!
//! A collapsed tower has a falling, plausible loss and learns nothing: like pairs cost 0, unlike pairs cost
//! `margin²` each, and the average sits at `margin² / 4`. The run that this project set out to repair did
//! that for 60 epochs without anyone being told.

use serde::{Deserialize, Serialize};

/// What the training batches of a stretch of steps looked like, averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchHealth {
    /// Root mean square distance of the embeddings from their mean.
    pub spread: f64,
    /// Root mean square length of the embeddings.
    pub scale: f64,
    /// Share of the unlike pairs that are inside the margin.
    pub active_share: f64,
    /// The training loss.
    pub loss: f64,
}

/// What is wrong, in words for the user; `None` where the embedding is alive.
///
/// `collapsed_loss` is the loss of a tower that maps everything to one point, where that is known.
pub fn alarm(health: &BatchHealth, collapsed_loss: Option<f64>) -> Option<String> {
    if !health.loss.is_finite() || !health.spread.is_finite() {
        return Some(format!(
            "the loss is {}: training has diverged; lower the learning rate or clip the gradient",
            health.loss
        ));
    }
    let relative_spread = health.spread / health.scale.max(f64::MIN_POSITIVE);
    let advice = "the embedding has collapsed; check the labels and the loss, lower the learning rate, or raise the margin";
    if relative_spread < 0.05 {
        return Some(format!(
            "all embeddings are nearly the same point (spread {:.2} % of their length): {advice}",
            100.0 * relative_spread
        ));
    }
    let stuck = collapsed_loss.is_some_and(|loss| (health.loss - loss).abs() < 0.01 * loss);
    if stuck && health.active_share > 0.99 {
        return Some(format!(
            "the loss stands at {:.4}, its value when nothing is pushed apart, and {:.1} % of the unlike pairs are inside the margin: {advice}",
            health.loss,
            100.0 * health.active_share
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: BatchHealth = BatchHealth {
        spread: 0.8,
        scale: 1.0,
        active_share: 0.4,
        loss: 0.12,
    };

    #[test]
    fn a_living_embedding_raises_no_alarm() {
        assert_eq!(alarm(&HEALTHY, Some(0.25)), None);
        // unnormalised embeddings may be of any length
        let long = BatchHealth {
            spread: 80.0,
            scale: 100.0,
            ..HEALTHY
        };
        assert_eq!(alarm(&long, Some(0.25)), None);
    }

    #[test]
    fn one_point_a_stuck_loss_and_divergence_are_told_apart() {
        let point = BatchHealth {
            spread: 0.004,
            ..HEALTHY
        };
        assert!(alarm(&point, Some(0.25)).is_some_and(|m| m.contains("same point")));
        let tiny = BatchHealth {
            spread: 1e-6,
            scale: 1e-3,
            ..HEALTHY
        };
        assert!(alarm(&tiny, Some(0.25)).is_some_and(|m| m.contains("same point")));
        let stuck = BatchHealth {
            loss: 0.2501,
            active_share: 1.0,
            spread: 0.1,
            ..HEALTHY
        };
        assert!(alarm(&stuck, Some(0.25)).is_some_and(|m| m.contains("stands at")));
        let diverged = BatchHealth {
            loss: f64::NAN,
            ..HEALTHY
        };
        assert!(alarm(&diverged, Some(0.25)).is_some_and(|m| m.contains("diverged")));
    }
}
