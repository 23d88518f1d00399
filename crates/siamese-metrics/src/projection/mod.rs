//! Embeddings laid out in the plane, to be looked at: PCA and t-SNE.

mod pca;
mod tsne;

pub use pca::{Pca, pca};
pub use tsne::{TsneConfig, tsne};
