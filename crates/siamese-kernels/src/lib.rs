//! siamese-kernels
