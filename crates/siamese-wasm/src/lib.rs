//! A model in a browser: pixels in, distance and verdict out, as WebAssembly without a binding.

#![doc = include_str!("../README.md")]

mod booth;
#[cfg(target_arch = "wasm32")]
mod exports;

pub use booth::{Answer, Booth, Error, Glance};
