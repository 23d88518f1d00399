//! A model looking at decoded pictures: framed, faces found, embedded, judged.

#![doc = include_str!("../README.md")]

mod error;
mod faces;
mod framing;
mod look;
mod see;
mod sight;

pub use error::Error;
pub use faces::{FaceFinder, SeenFace};
pub use framing::framing;
pub use look::{Compared, Look, Verdict};
pub use see::Seen;
pub use sight::Sight;
