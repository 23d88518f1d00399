//! siamese-metrics
