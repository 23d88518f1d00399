//! Finds the faces in a picture and cuts them out, aligned: the first step of every system that recognises people.
//!
//! The detector is MTCNN (Zhang, Zhang, Li and Qiao 2016, <https://arxiv.org/abs/1604.02878>): three small
//! convolutional nets, each looking closer at what the one before let through. Its weights (2 MB, MIT, from
//! facenet-pytorch) are part of this crate, so that nothing is downloaded. Boxes, landmarks and probabilities are
//! those of facenet-pytorch on the same pixels to a small fraction of a pixel; the tests hold its figures.
//!
//! ```
//! use siamese_faces::{Alignment, Detector, Rgb};
//!
//! let (height, width) = (120, 160);
//! let pixels = vec![128; height * width * 3]; // (H, W, 3): here a grey wall
//! let picture = Rgb::new(height, width, &pixels)?;
//! let faces = Detector::new()?.detect(&picture)?;
//! let crops: Vec<Vec<u8>> = faces.iter().map(|face| Alignment::default().crop(&picture, face)).collect();
//! assert!(crops.is_empty(), "nobody is on a grey wall");
//! # Ok::<(), siamese_faces::Error>(())
//! ```
//!
//! Coordinates are in pixels, x to the right and y down, the middle of the first pixel being (0, 0).

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
