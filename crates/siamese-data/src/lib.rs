//! siamese-data
