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

mod backbone;
mod embedder;
mod embeddings;
mod error;
mod look;
mod picture;
mod place;
mod stream;
mod table;

pub use backbone::Backbone;
pub use embedder::{Embedder, Verdict, fingerprint};
pub use embeddings::{Embeddings, embed};
pub use error::Error;
pub use look::Look;
pub use picture::framing;
pub use place::{load_model, model_path};
pub use stream::Embedded;
pub use table::{TableFormat, TableRow, TableWriter, write_table};
