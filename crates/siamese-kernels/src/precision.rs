//! What a chain computes in.

use serde::{Deserialize, Serialize};

/// What a chain of layers computes in. Parameters, their gradients, norms' statistics and sums are f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "tf32" => Ok(Self::Tf32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(format!("{text:?} is no precision; use f32, tf32 or bf16")),
        }
    }
}
