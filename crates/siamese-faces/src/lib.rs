//! Finds faces in pictures and aligns them: MTCNN, weights included.

#![doc = include_str!("../README.md")]

mod align;
mod area;
mod bounds;
mod detector;
mod error;
mod face;
mod nets;
mod picture;
mod pyramid;
mod turn;

pub use align::{Alignment, TEMPLATE};
pub use bounds::Bounds;
pub use detector::{Detector, DetectorConfig};
pub use error::Error;
pub use face::{Face, Point};
pub use picture::Rgb;
