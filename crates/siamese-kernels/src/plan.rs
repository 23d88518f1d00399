//! What a chain computes: its layers grouped into fused units over numbered values.
//!
//! A unit is `pool(activation(norm(conv(source)) + residual))`, each part optional. Nothing here
//! knows on which device or how it will run.

use crate::activation::Activation;

/// Shape of one image of a value: height, width, channels (the last runs fastest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dims {
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) c: usize,
}

impl Dims {
    pub(crate) fn len(self) -> usize {
        self.h * self.w * self.c
    }

    pub(crate) fn pixels(self) -> usize {
        self.h * self.w
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConvStep {
    /// Index among the parameters.
    pub(crate) weight: usize,
    pub(crate) bias: Option<usize>,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) input: Dims,
    pub(crate) output: Dims,
}

impl ConvStep {
    /// Elements of the weight tensor.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn weights(&self) -> usize {
        self.output.c * self.input.c * self.kernel * self.kernel
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NormStep {
    pub(crate) weight: usize,
    pub(crate) bias: usize,
    /// Index among the running statistics.
    pub(crate) stats: usize,
    pub(crate) eps: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    Max,
    Average,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolStep {
    pub(crate) kind: PoolKind,
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) input: Dims,
    pub(crate) output: Dims,
}

/// `target = pool(activation(norm(conv(source)) + residual))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit {
    pub(crate) source: usize,
    pub(crate) conv: Option<ConvStep>,
    pub(crate) norm: Option<NormStep>,
    pub(crate) residual: Option<usize>,
    pub(crate) activation: Option<Activation>,
    pub(crate) pool: Option<PoolStep>,
    pub(crate) target: usize,
    /// Shape between convolution and pool.
    pub(crate) middle: Dims,
}

/// A whole chain for one input shape. Value 0 is the input; unit `i` writes value `i + 1`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) batch: usize,
    pub(crate) units: Vec<Unit>,
    pub(crate) values: Vec<Dims>,
}

impl Plan {
    pub(crate) fn input(&self) -> Dims {
        self.values[0]
    }

    /// The unit whose norm sees a single value per channel, from which no variance follows.
    pub(crate) fn starved_norm(&self) -> Option<&Unit> {
        let starved = |u: &&Unit| u.norm.is_some() && self.batch * u.middle.pixels() < 2;
        self.units.iter().find(starved)
    }

    pub(crate) fn output(&self) -> Dims {
        self.values[self.values.len() - 1]
    }
}
