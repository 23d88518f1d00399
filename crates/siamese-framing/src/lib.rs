//! A decoded picture as an image of a set: cropped, padded or stretched, and resized.

#![doc = include_str!("../README.md")]

mod frame;
mod framing;
mod picture;

pub use framing::{Colour, Fit, Framing};
pub use picture::{Picture, over_white, within};
