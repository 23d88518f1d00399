//! siamese-report
