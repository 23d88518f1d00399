//! How good an embedding is: verification, retrieval and few-shot figures as the field defines
//! them, with confidence intervals.
//!
//! Everything is a distance: smaller means more alike. Labels are `u32`, distances `f32`, figures
//! `f64`. Functions take plain slices and give small structs that serialise. Randomness comes from
//! a seed, and every figure and interval is bit-equal for any number of threads.
//!
//! | module | question |
//! |---|---|
//! | [`verification`] | are two images of one class, and at which threshold? |
//! | [`calibration`] | how likely is it? |
//! | [`retrieval`] | are a probe's nearest neighbours of its class? |
//! | [`open_set`] | … with strangers among the probes? |
//! | [`classify`] | which class do its neighbours or the class centres say? |
//! | [`fewshot`] | … of N classes never seen, by K examples each? |
//! | [`bootstrap`] | how sure is any of that? |
//! | [`protocols`], [`npz`] | pairs and embeddings from files |
//! | [`projection`] | what do they look like in the plane? |
//!
//! ```
//! use siamese_metrics::verification::{
//!     Target, VerificationConfig, fit_threshold, verification_figures,
//! };
//!
//! // Fit the threshold on one split …
//! let threshold = fit_threshold(&[0.2, 0.4, 0.8], &[true, true, false], Target::BestAccuracy)?;
//! // … and report on another, each pair given by the classes of its two images.
//! let pairs = [(7, 7), (8, 8), (7, 8), (8, 9)];
//! let config = VerificationConfig { threshold: Some(threshold.value), ..Default::default() };
//! let figures = verification_figures(&[0.1, 0.3, 0.5, 0.9], &pairs, &config)?;
//! assert_eq!(figures[0].name, "accuracy");
//! assert_eq!(figures[0].value, 0.75);
//! # Ok::<(), siamese_metrics::Error>(())
//! ```

pub mod bootstrap;
pub mod calibration;
pub mod classify;
mod comparison;
mod distance;
mod embeddings;
mod error;
pub mod fewshot;
mod figure;
mod metric;
pub mod npz;
pub mod open_set;
pub mod projection;
pub mod protocols;
pub mod retrieval;
mod unlike;
pub mod verification;

pub use bootstrap::BootstrapConfig;
pub use comparison::{Combine, Comparison, Dense};
pub use distance::Distance;
pub use embeddings::EmbeddingView;
pub use error::{Error, Result};
pub use figure::{Figure, Interval, find};
pub use metric::Metric;
pub use unlike::UnlikeTail;
