//! The `siamese` binary.
fn main() {}
