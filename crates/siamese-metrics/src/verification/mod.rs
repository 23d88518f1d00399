//! Verification, 1:1: are two images of the same class?
//!
//! "Same" is `distance < threshold` everywhere ([`is_same`]): a pair exactly at the threshold is different.
//!
//! | figure | definition |
//! |---|---|
//! | `accuracy` | share of pairs called right |
//! | `precision`, also `precision_called_same` | share of like pairs among those called the same |
//! | `recall` | share of like pairs called the same, the TAR |
//! | `f1` | harmonic mean of the two |
//! | `far`, `frr` | share of unlike pairs called the same, of like pairs called different |
//! | `roc_auc` | chance that a like pair is closer than an unlike one, ties ½ |
//! | `average_precision` | `Σ (R_i − R_{i−1})·P_i` over operating points |
//! | `eer` | where FAR and FRR cross, interpolated linearly along the ROC |
//! | `tar_at_far_1e-2` | greatest TAR with a FAR of at most 0.01, no interpolation; from ten errors' worth of pairs on |
//!
//! `precision_called_same` is what some earlier systems called "accuracy" (`mean(like[d < 0.5])`):
//! it says nothing of the like pairs that were missed, so read it beside `accuracy` and `roc_auc`.

mod det;
mod figures;
mod low_rates;
mod mix;
mod ranked;
mod roc;
mod threshold;

pub use det::{DetPoint, det_points, probit};
pub use figures::{
    Verification, VerificationConfig, needs_threshold, precision_called_same, verification_figures,
    verification_figures_by_image,
};
pub use low_rates::LowRates;
pub use mix::{Mix, unlike_pairs_for};
pub(crate) use roc::rank;
pub use roc::{RocCurve, RocPoint};
pub use threshold::{FittedThreshold, Target, fit_threshold, is_same};

/// The false accept rates at which the true accept rate is reported, and the figures' names.
pub const REPORTED_FARS: [(f64, &str); 4] = [
    (1e-1, "tar_at_far_1e-1"),
    (1e-2, "tar_at_far_1e-2"),
    (1e-3, "tar_at_far_1e-3"),
    (1e-4, "tar_at_far_1e-4"),
];

/// Area under the ROC curve; see [`RocCurve::roc_auc`].
///
/// # Errors
/// Those of [`RocCurve::new`].
pub fn roc_auc(distances: &[f32], like: &[bool]) -> crate::Result<f64> {
    Ok(RocCurve::new(distances, like)?.roc_auc())
}

/// Equal error rate; see [`RocCurve::eer`].
///
/// # Errors
/// Those of [`RocCurve::new`].
pub fn eer(distances: &[f32], like: &[bool]) -> crate::Result<f64> {
    Ok(RocCurve::new(distances, like)?.eer())
}
