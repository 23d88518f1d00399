//! Activations: what is applied to every element.

/// An activation applied to every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`; its gradient at 0 is 0.
    Relu,
    /// `x` where positive, else `slope · x`, with a slope from 0 to 1.
    LeakyRelu(f32),
}

impl Activation {
    pub(crate) fn slope(self) -> f32 {
        match self {
            Self::Relu => 0.0,
            Self::LeakyRelu(slope) => slope,
        }
    }
}
