//! AVX2 and FMA: 8 lanes, 16 registers.

use std::arch::x86_64::*;

use super::vector::{Kernel, Level, Simd};

#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// # Safety
/// The CPU must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2)
}

/// The first `n` lanes set.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    debug_assert!(n <= 8);
    // SAFETY: plain AVX2, which the callers' contract gives.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
    }
}

// SAFETY, for each block: the trait's contract gives the instructions and the bounds.
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const LEVEL: Level = Level::Avx2;

    #[inline(always)]
    unsafe fn splat(self, x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> __m256 {
        debug_assert!(at + 8 <= from.len());
        unsafe { _mm256_loadu_ps(from.as_ptr().add(at)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, v: __m256) {
        debug_assert!(at + 8 <= to.len());
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(at), v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: &[f32], at: usize, n: usize) -> __m256 {
        debug_assert!(at + n <= from.len());
        unsafe { _mm256_maskload_ps(from.as_ptr().add(at), first(n)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: &mut [f32], at: usize, n: usize, v: __m256) {
        debug_assert!(at + n <= to.len());
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr().add(at), first(n), v) }
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: &[f32], at: usize) -> __m256 {
        debug_assert!(at < from.len());
        unsafe { _mm256_broadcast_ss(&*from.as_ptr().add(at)) }
    }
    #[inline(always)]
    unsafe fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn where_positive(self, x: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())) }
    }
    #[inline(always)]
    unsafe fn where_equal(self, x: __m256, y: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_EQ_OQ>(x, y)) }
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: &mut [u8], at: usize, n: usize, v: __m256) {
        debug_assert!(at + n <= to.len());
        unsafe {
            let wide = _mm256_cvtps_epi32(v);
            let (low, high) = (
                _mm256_castsi256_si128(wide),
                _mm256_extracti128_si256::<1>(wide),
            );
            let words = _mm_packus_epi32(low, high);
            let bytes = _mm_packus_epi16(words, words);
            if n == 8 {
                _mm_storel_epi64(to.as_mut_ptr().add(at).cast(), bytes);
            } else {
                let mut all = [0u8; 16];
                _mm_storeu_si128(all.as_mut_ptr().cast(), bytes);
                to[at..at + n].copy_from_slice(&all[..n]);
            }
        }
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize, n: usize) -> __m256 {
        debug_assert!(at + n <= from.len());
        unsafe {
            let bytes = if n == 8 {
                _mm_loadl_epi64(from.as_ptr().add(at).cast())
            } else {
                let mut all = [0u8; 16];
                all[..n].copy_from_slice(&from[at..at + n]);
                _mm_loadu_si128(all.as_ptr().cast())
            };
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
        }
    }
}
