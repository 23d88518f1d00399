//! What of a unit is stored, picked, computed again, or left to those who read it.

use super::direct;
use crate::plan::{ConvStep, Plan, PoolKind, PoolStep, Unit};

pub(super) fn slope(unit: &Unit) -> f32 {
    unit.activation.map_or(1., |a| a.slope())
}

/// The 2×2 max-pool of a unit that picks its pixels before its norm is known.
pub(super) fn pick(unit: &Unit) -> Option<&PoolStep> {
    let small = |p: &&PoolStep| p.kernel == (2, 2) && p.stride == 2 && p.padding == 0;
    unit.pool
        .as_ref()
        .filter(|p| p.kind == PoolKind::Max)
        .filter(small)
}

/// Multiplications per output up to which convolving again costs less than fetching the output.
const CHEAP: usize = 64;

/// Whether a unit's convolution is not kept but run again in the backward: it is cheap, and the
/// rest needs of it only what was picked.
pub(super) fn convolves_again(unit: &Unit) -> bool {
    let cheap = |c: &ConvStep| direct::depth(c) <= CHEAP;
    pick(unit).is_some() && unit.conv.as_ref().is_some_and(cheap)
}

/// Which values need not be stored: only convolutions read them, which apply norm and activation
/// to the unit's convolution, or to what it picked, as they read.
pub(super) fn pending(plan: &Plan) -> Vec<bool> {
    let mut pending = vec![false; plan.values.len()];
    for unit in &plan.units {
        let apart = pick(unit).is_some() || (unit.conv.is_some() && unit.pool.is_none());
        pending[unit.target] = apart && unit.residual.is_none();
    }
    for unit in &plan.units {
        if unit.conv.is_none() {
            pending[unit.source] = false;
        }
        if let Some(r) = unit.residual {
            pending[r] = false;
        }
    }
    pending[plan.values.len() - 1] = false;
    pending
}
