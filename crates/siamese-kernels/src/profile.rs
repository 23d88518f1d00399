//! Where the time of the CPU's kernels goes, unit by unit: nothing is measured before [`start`].
//!
//! It is one for the whole process, since the operations of a graph know nothing of who runs them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::{ConvStep, PoolKind, Unit};

/// What training took on the CPU since [`start`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The fused units of all chains, in the order in which they first ran.
    pub units: Vec<UnitTime>,
    /// Passes forward from which nothing is learned: evaluation, and what ran [`apart`].
    pub inference: Duration,
    /// Steps of optimizers.
    pub optimizer: Duration,
}

/// What a unit took: a convolution with the norm, activation and pool that are computed with it, at one size.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitTime {
    /// Such as `conv 3×3, 64→128 at 16×16, norm, activation, max-pool`.
    pub unit: String,
    /// Images that passed forward.
    pub images: u64,
    /// Multiply-adds of one image's pass forward.
    pub multiply_adds: u64,
    /// All passes forward.
    pub forward: Duration,
    /// All passes backward.
    pub backward: Duration,
}

impl Profile {
    /// All that training spent in chains.
    pub fn training(&self) -> Duration {
        self.units.iter().map(UnitTime::total).sum()
    }
}

impl UnitTime {
    /// Forward and backward.
    pub fn total(&self) -> Duration {
        self.forward + self.backward
    }

    /// Floating-point operations a second, in 10⁹, taking a pass backward for two forward.
    pub fn gigaflops(&self) -> f64 {
        let operations = 6 * self.multiply_adds * self.images;
        operations as f64 / self.total().as_secs_f64().max(1e-12) / 1e9
    }
}

static ON: AtomicBool = AtomicBool::new(false);
static APART: AtomicBool = AtomicBool::new(false);
static PROFILE: Mutex<Profile> = Mutex::new(Profile {
    units: Vec::new(),
    inference: Duration::ZERO,
    optimizer: Duration::ZERO,
});

/// Measures from now on, from nothing.
pub fn start() {
    *lock() = Profile::default();
    ON.store(true, Ordering::Relaxed);
}

/// What was measured so far.
pub fn read() -> Profile {
    lock().clone()
}

/// Counts passes forward in training's manner, such as those that estimate a norm's statistics anew, as no training.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    APART.store(true, Ordering::Relaxed);
    let result = work();
    APART.store(false, Ordering::Relaxed);
    result
}

/// The time now, where something is measured.
pub(crate) fn clock() -> Option<Instant> {
    ON.load(Ordering::Relaxed).then(Instant::now)
}

pub(crate) fn inference(clock: Option<Instant>) {
    if let Some(started) = clock {
        lock().inference += started.elapsed();
    }
}

pub(crate) fn optimizer(clock: Option<Instant>) {
    if let Some(started) = clock {
        lock().optimizer += started.elapsed();
    }
}

/// A unit's pass forward with a batch.
pub(crate) fn forward(clock: Option<Instant>, unit: &Unit, batch: usize) {
    if APART.load(Ordering::Relaxed) {
        return inference(clock);
    }
    if let Some(started) = clock {
        let took = started.elapsed();
        with(unit, |time| {
            time.images += batch as u64;
            time.forward += took;
        });
    }
}

/// A unit's pass backward.
pub(crate) fn backward(clock: Option<Instant>, unit: &Unit) {
    if let Some(started) = clock {
        let took = started.elapsed();
        with(unit, |time| time.backward += took);
    }
}

fn with(unit: &Unit, add: impl FnOnce(&mut UnitTime)) {
    let name = Name(unit).to_string();
    let units = &mut lock().units;
    let place = units.iter().position(|time| time.unit == name);
    let place = place.unwrap_or_else(|| {
        units.push(UnitTime {
            unit: name,
            images: 0,
            multiply_adds: unit.conv.as_ref().map_or(0, multiply_adds),
            forward: Duration::ZERO,
            backward: Duration::ZERO,
        });
        units.len() - 1
    });
    add(&mut units[place]);
}

fn multiply_adds(c: &ConvStep) -> u64 {
    (c.output.len() * c.input.c * c.kernel * c.kernel) as u64
}

fn lock() -> MutexGuard<'static, Profile> {
    PROFILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A unit in words.
struct Name<'a>(&'a Unit);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.0;
        let mut parts = Vec::new();
        if let Some(c) = &unit.conv {
            let stride = match c.stride {
                1 => String::new(),
                stride => format!(" by {stride}"),
            };
            let (k, i, o) = (c.kernel, c.input, c.output.c);
            parts.push(format!(
                "conv {k}×{k}{stride}, {}→{o} at {}×{}",
                i.c, i.h, i.w
            ));
        }
        let plain = [
            (unit.norm.is_some(), "norm"),
            (unit.residual.is_some(), "sum"),
            (unit.activation.is_some(), "activation"),
        ];
        parts.extend(plain.iter().filter(|p| p.0).map(|p| p.1.to_string()));
        if let Some(pool) = &unit.pool {
            let kind = match pool.kind {
                PoolKind::Max => "max-pool",
                PoolKind::Average => "average",
            };
            parts.push(kind.into());
        }
        if unit.conv.is_none() {
            let d = unit.middle;
            parts.push(format!("{} at {}×{}", d.c, d.h, d.w));
        }
        f.write_str(&parts.join(", "))
    }
}
