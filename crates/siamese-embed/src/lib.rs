//! Uses a trained model: pictures in, embeddings and judgements out.
//!
//! `verify`, `evaluate`, the validation of a training and all that keeps embeddings stand on this crate, so that a
//! picture is prepared for a tower in one place: as the model file says.
//!
//! ```no_run
//! use siamese_embed::Embedder;
//!
//! let embedder = Embedder::load("runs/birds-1", &siamese_core::candle::Device::Cpu)?;
//! let verdict = embedder.verify("one.jpg", "other.jpg")?;
//! println!("{} at distance {:.3}", if verdict.same { "same" } else { "different" }, verdict.distance);
//! # Ok::<(), siamese_embed::Error>(())
//! ```
//!
//! A model that was trained on faces cut out of photos says so in its file: its embedder finds the face in a photo first
//! and cuts it out as they were. A picture of the very size of such a crop is taken for one and embedded as it is.

mod backbone;
mod embedder;
mod embeddings;
mod error;
mod faces;
mod look;
mod place;
mod see;
mod stream;
mod table;

pub use backbone::Backbone;
pub use embedder::{Embedder, fingerprint};
pub use embeddings::{Embeddings, embed};
pub use error::{Error, NO_FACE};
pub use faces::{mark_faces, marked_faces};
pub use place::{load_model, model_path};
pub use siamese_sight::{Error as SightError, FaceFinder, Look, Seen, SeenFace, Verdict, framing};
pub use stream::Embedded;
pub use table::{TableFormat, TableRow, TableWriter, write_table};
