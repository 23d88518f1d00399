//! AVX-512F: 16 lanes, 32 registers.

use std::arch::x86_64::*;

use super::vector::{Kernel, Level, Simd};

#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// # Safety
/// The CPU must have AVX-512F, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512)
}

fn first(n: usize) -> u16 {
    debug_assert!(n <= 16);
    ((1u32 << n) - 1) as u16
}

// SAFETY, for each block: the trait's contract gives the instructions and the bounds.
impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    // More would fit, but LLVM loads a tile's broadcasts ahead, and from 11 rows on it spills accumulators for them.
    const ROWS: usize = 10;
    const LEVEL: Level = Level::Avx512;

    #[inline(always)]
    unsafe fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> __m512 {
        debug_assert!(at + 16 <= from.len());
        unsafe { _mm512_loadu_ps(from.as_ptr().add(at)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, v: __m512) {
        debug_assert!(at + 16 <= to.len());
        unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(at), v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: &[f32], at: usize, n: usize) -> __m512 {
        debug_assert!(at + n <= from.len());
        unsafe { _mm512_maskz_loadu_ps(first(n), from.as_ptr().add(at)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: &mut [f32], at: usize, n: usize, v: __m512) {
        debug_assert!(at + n <= to.len());
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().add(at), first(n), v) }
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: &[f32], at: usize) -> __m512 {
        debug_assert!(at < from.len());
        unsafe { _mm512_set1_ps(*from.as_ptr().add(at)) }
    }
    #[inline(always)]
    unsafe fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn where_positive(self, x: __m512, a: __m512, b: __m512) -> __m512 {
        unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
            _mm512_mask_blend_ps(positive, b, a)
        }
    }
    #[inline(always)]
    unsafe fn where_equal(self, x: __m512, y: __m512, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, y), b, a) }
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: &mut [u8], at: usize, n: usize, v: __m512) {
        debug_assert!(at + n <= to.len());
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
            if n == 16 {
                _mm_storeu_si128(to.as_mut_ptr().add(at).cast(), bytes);
            } else {
                let mut all = [0u8; 16];
                _mm_storeu_si128(all.as_mut_ptr().cast(), bytes);
                to[at..at + n].copy_from_slice(&all[..n]);
            }
        }
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize, n: usize) -> __m512 {
        debug_assert!(at + n <= from.len());
        unsafe {
            let bytes = if n == 16 {
                _mm_loadu_si128(from.as_ptr().add(at).cast())
            } else {
                let mut all = [0u8; 16];
                all[..n].copy_from_slice(&from[at..at + n]);
                _mm_loadu_si128(all.as_ptr().cast())
            };
            _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
        }
    }
}
