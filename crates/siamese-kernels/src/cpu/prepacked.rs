//! Weights made ready for evaluation once and kept: norms folded in, in the order in which convolutions read them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use super::context::Factors;
use super::conv::{self, Algorithm};
use super::views::{Views, conv_bias};
use super::winograd::{Direction, Tiles};
use super::{few, pack};
use crate::plan::{ConvStep, Unit};
use crate::simd::Level;

/// Tiles up to which a direct convolution is faster: Winograd's weights are four times as many to read.
const FEW_TILES: usize = 4;

/// A chain's weights by their place among the parameters and by who reads them; filled as they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Prepacked(Mutex<HashMap<(usize, Algorithm), Arc<Ready>>>);

/// A convolution's weights, and what it adds to each output channel.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) algorithm: Algorithm,
    pub(super) weight: Buffer,
    pub(super) shift: Vec<f32>,
}

impl Prepacked {
    /// Of unit `unit`, whose convolution is `c`, for a batch of this many images.
    pub(super) fn of(
        &self,
        level: Level,
        (unit, c): (&Unit, &ConvStep),
        batch: usize,
        views: Views<'_>,
    ) -> Arc<Ready> {
        let few = few::is_few(batch) && batch * Tiles::of(c.output).count <= FEW_TILES;
        let algorithm = match few {
            true => Algorithm::Direct,
            false => conv::algorithm(c),
        };
        let key = (c.weight, algorithm);
        if let Some(ready) = self.kept().get(&key) {
            return ready.clone();
        }
        // not under the lock: two that ask at once both make it, and one is kept
        let ready = Arc::new(Ready::new(level, (unit, c), algorithm, views));
        self.kept().entry(key).or_insert(ready).clone()
    }

    /// Forgets all: parameters are about to change.
    pub(crate) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<(usize, Algorithm), Arc<Ready>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    fn new(
        level: Level,
        (unit, c): (&Unit, &ConvStep),
        algorithm: Algorithm,
        views: Views<'_>,
    ) -> Self {
        let mut factors = Factors::default();
        match unit.norm {
            Some(_) => factors.running(unit, views),
            None => factors.plain(unit.middle.c, conv_bias(unit, views)),
        }
        let mut weight = Buffer::default();
        let from = (views.params[c.weight], &factors.scale[..]);
        pack::pack_for(algorithm, level, c, from, Direction::Forward, &mut weight);
        Self {
            algorithm,
            weight,
            shift: factors.shift,
        }
    }
}
