//! Judges a trained tower: embeddings of a set, verification, retrieval, and what a report shows of them.
//!
//! The figures themselves are `siamese_core::metrics`; here they meet models and images.

mod embed;
mod evaluation;
mod maps;
mod pairs;
mod projector;
mod retrieval;
mod sections;
mod table;

pub use embed::{Embeddings, embed};
pub use evaluation::{EvaluateConfig, Evaluation, evaluate};
pub use pairs::JudgedPairs;
pub use retrieval::Retrieval;
pub use table::{TableEvaluation, evaluate_table};
