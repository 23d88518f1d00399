//! A model as a web page and a JSON API, from one process and without any other.
//!
//! ```no_run
//! use siamese_embed::Embedder;
//! use siamese_serve::{Config, Server};
//!
//! let embedder = Embedder::load("runs/faces-1", &siamese_core::candle::Device::Cpu)?;
//! let server = Server::new(embedder, None, Config::default(), |event| eprintln!("{event:?}"))?;
//! server.run()?; // until the process is asked to end
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It is the only crate that is asynchronous, and only at its rim: a request is read and answered by `tokio`, its pictures
//! are decoded on a few threads, and one thread owns the model and embeds what has come in the last milliseconds at
//! once. What a request may ask for is bounded by [`Limits`]; what cannot be done now is refused with 503, and nothing
//! waits without end.
//!
//! Names in the answers are those of the command line's `--json`. A picture that is sent is never written to a file; one
//! that is enrolled becomes an entry of the gallery, with a thumbnail, as by `siamese gallery add`.

mod answer;
mod api;
mod app;
mod batcher;
mod config;
mod error;
mod event;
mod form;
mod gate;
mod guard;
mod judged;
mod listen;
mod meters;
mod occlusion;
mod page;
mod pictures;
mod plane;
mod problem;
mod review;
mod server;

pub use config::{Access, Config, Limits};
pub use error::Error;
pub use event::{Answered, Event};
pub use page::standalone;
pub use review::Review;
pub use server::Server;
