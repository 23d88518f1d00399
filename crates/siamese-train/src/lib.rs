//! siamese-train
