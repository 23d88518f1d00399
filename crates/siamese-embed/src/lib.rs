//! A model and pictures in, embeddings and judgements out.

#![doc = include_str!("../README.md")]

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
