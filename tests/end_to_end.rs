//! End-to-end tests of the `siamese` binary.
