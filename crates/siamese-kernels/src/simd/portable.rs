//! Any CPU: four floats in an array, in loops that a compiler turns into vector instructions.
//! Every access is checked.

use super::vector::{Level, Simd};

#[derive(Clone, Copy)]
pub(crate) struct Portable;

const N: usize = 4;
type V = [f32; N];

#[inline(always)]
fn map2(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

/// `a · b + c`, in one rounding where the CPU can.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

impl Simd for Portable {
    type V = V;
    const LANES: usize = N;
    const ROWS: usize = 6;
    const LEVEL: Level = Level::Portable;

    #[inline(always)]
    unsafe fn splat(self, x: f32) -> V {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> V {
        let from = &from[at..at + N];
        [from[0], from[1], from[2], from[3]]
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, v: V) {
        to[at..at + N].copy_from_slice(&v);
    }
    #[inline(always)]
    unsafe fn load_first(self, from: &[f32], at: usize, n: usize) -> V {
        let mut v = [0.; N];
        v[..n].copy_from_slice(&from[at..at + n]);
        v
    }
    #[inline(always)]
    unsafe fn store_first(self, to: &mut [f32], at: usize, n: usize, v: V) {
        to[at..at + n].copy_from_slice(&v[..n]);
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: &[f32], at: usize) -> V {
        [from[at]; N]
    }
    #[inline(always)]
    unsafe fn add(self, a: V, b: V) -> V {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, a: V, b: V) -> V {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, a: V, b: V) -> V {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn fma(self, a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn fnma(self, a: V, b: V, c: V) -> V {
        std::array::from_fn(|i| multiply_add(-a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn where_positive(self, x: V, a: V, b: V) -> V {
        std::array::from_fn(|i| if x[i] > 0. { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn where_equal(self, x: V, y: V, a: V, b: V) -> V {
        std::array::from_fn(|i| if x[i] == y[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: &mut [u8], at: usize, n: usize, v: V) {
        let to = &mut to[at..at + n];
        to.iter_mut().zip(v).for_each(|(to, x)| *to = x as u8);
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize, n: usize) -> V {
        let mut v = [0.; N];
        v.iter_mut()
            .zip(&from[at..at + n])
            .for_each(|(v, &b)| *v = b as f32);
        v
    }
}
