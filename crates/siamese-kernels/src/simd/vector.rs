//! A vector of floats, the work done with it, and the names of its instruction sets.

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
