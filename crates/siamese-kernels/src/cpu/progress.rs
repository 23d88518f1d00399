//! A backward in progress: what it works on, what was asked of it, what it has so far.

use super::views::Views;
use crate::plan::{Plan, Unit};

/// The state that a backward carries from the last unit to the first.
pub(super) struct Backward<'a> {
    pub(super) plan: &'a Plan,
    pub(super) views: Views<'a>,
    pub(super) wanted: &'a [bool],
    pub(super) wants_input: bool,
    pub(super) pending: Vec<bool>,
    pub(super) has_grad: Vec<bool>,
    pub(super) params: Vec<Option<Vec<f32>>>,
}

/// A norm's backward as `dx = a · g + b · x + c`.
pub(super) struct Factors {
    pub(super) a: Vec<f32>,
    pub(super) b: Vec<f32>,
    pub(super) c: Vec<f32>,
}

/// What a unit's part of the backward starts from.
pub(super) struct Work<'a> {
    pub(super) unit: &'a Unit,
    /// The gradient of the unit's output, or behind its activation.
    pub(super) g: &'a [f32],
    /// `None` for an average-pool.
    pub(super) factors: Option<&'a Factors>,
}

impl Backward<'_> {
    /// Whether anybody asked for the gradient of `value`.
    pub(super) fn wants(&self, value: usize) -> bool {
        value > 0 || self.wants_input
    }
}
