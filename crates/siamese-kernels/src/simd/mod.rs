//! Vectors of f32 behind one small trait, with an implementation per instruction set.
//!
//! Kernels are generic over [`Simd`] and `#[inline(always)]`; [`Level::run`] instantiates them
//! inside a function compiled for the chosen instruction set, so that everything inlines there.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod level;
mod portable;
mod vector;

pub(crate) use vector::{Kernel, Level, Simd};
