//! siamese-core
