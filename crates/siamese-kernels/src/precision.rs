//! What a chain computes in.

/// What a chain of layers computes in. Parameters, their gradients, norms' statistics and sums are f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 32-bit floats whose products CUDA may round to 10 bits (TensorFloat-32), several times as
    /// fast on Ampere and newer. On a CPU the same as [`F32`](Self::F32).
    Tf32,
    /// bfloat16 images and weights with f32 master weights: mixed precision. CUDA only.
    Bf16,
}
