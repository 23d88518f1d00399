//! Vectors of f32 behind one small trait, with an implementation per instruction set.
//!
//! Kernels are generic over [`Simd`] and `#[inline(always)]`; [`Level::run`] instantiates them
//! inside a function compiled for the chosen instruction set, so that everything inlines there.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// A vector of [`Simd::LANES`] floats and what can be done with it.
///
/// # Safety
/// Methods may use instructions that only the implementing level has: a value of the implementing
/// type must be made only where they exist, which [`Level::run`] sees to. Loads and stores must lie
/// within the slice; debug builds check it, and the portable level always does.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// The register.
    type V: Copy;
    /// Floats in a register.
    const LANES: usize;
    /// Rows of a matrix tile, two registers wide, that the register file holds.
    const ROWS: usize;
    /// The level that this type belongs to.
    const LEVEL: Level;

    unsafe fn splat(self, x: f32) -> Self::V;
    unsafe fn load(self, from: &[f32], at: usize) -> Self::V;
    unsafe fn store(self, to: &mut [f32], at: usize, v: Self::V);
    /// The first `n` lanes; the others are 0.
    unsafe fn load_first(self, from: &[f32], at: usize, n: usize) -> Self::V;
    /// The first `n` lanes.
    unsafe fn store_first(self, to: &mut [f32], at: usize, n: usize, v: Self::V);
    /// One element in every lane.
    unsafe fn broadcast(self, from: &[f32], at: usize) -> Self::V;
    unsafe fn add(self, a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`.
    unsafe fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c − a · b`.
    unsafe fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lanes of `a` where `x > 0`, of `b` elsewhere.
    unsafe fn where_positive(self, x: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Lanes of `a` where `x == y`, of `b` elsewhere.
    unsafe fn where_equal(self, x: Self::V, y: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Lanes rounded to u8 (they hold 0..=255 exactly); the first `n`.
    unsafe fn store_u8(self, to: &mut [u8], at: usize, n: usize, v: Self::V);
    /// The first `n` bytes as floats; the others are 0.
    unsafe fn load_u8(self, from: &[u8], at: usize, n: usize) -> Self::V;
}

/// Work that a [`Level`] runs with its own vectors. Implementations must be `#[inline(always)]`.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The levels that this machine has, the widest last.
    pub(crate) fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    levels.push(Self::Avx512);
                }
            }
        }
        levels
    }

    /// The level in use: the widest, or the one that `SIAMESE_SIMD` (`portable`, `avx2`, `avx512`)
    /// names, if the machine has it. Read once.
    pub(crate) fn current() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let levels = Self::available();
            let wished = std::env::var("SIAMESE_SIMD").unwrap_or_default();
            let named = levels.iter().find(|l| l.name() == wished);
            *named.unwrap_or(&levels[levels.len() - 1])
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::LANES,
        }
    }

    /// Runs `kernel` compiled for this level.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run(Portable),
            // SAFETY: levels other than `Portable` come from `available`, which checked the CPU.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::run(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::run(kernel) },
        }
    }
}
