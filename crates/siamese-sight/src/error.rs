//! Why a model does not see, or does not judge.

/// Why a model does not see, or does not judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model, or its head.
    #[error(transparent)]
    Model(#[from] siamese_core::Error),
    /// The tower failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Faces cannot be looked for.
    #[error(transparent)]
    Faces(#[from] siamese_faces::Error),
    /// The model has no threshold to judge by.
    #[error(
        "the model carries no threshold; fit one with `siamese evaluate MODEL --threshold-at accuracy --save-model FILE`"
    )]
    NoThreshold,
    /// Faces are to be found for a model that is not of faces.
    #[error(
        "the model does not say that it is of faces: train it on a folder that `siamese data faces` wrote, or leave \
         --crop face out"
    )]
    NotOfFaces,
}
