//! Moments (running averages of gradients) and how they are saved and put back.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};

/// A running average, kept where its parameter lives.
#[derive(Clone, Debug)]
pub(super) enum Moment {
    /// In host memory, updated in place.
    Host(Vec<f32>),
    /// On another device, updated in place or replaced.
    Device(Tensor),
}

impl Moment {
    pub(super) fn zeros(var: &Var) -> Result<Self> {
        Ok(match var.device() {
            Device::Cpu => Self::Host(vec![0.0; var.elem_count()]),
            _ => Self::Device(var.as_tensor().zeros_like()?.detach()),
        })
    }

    pub(super) fn to_tensor(&self, var: &Var) -> Result<Tensor> {
        match self {
            Self::Host(values) => Tensor::from_slice(values, var.shape(), &Device::Cpu),
            Self::Device(tensor) => tensor.copy(),
        }
    }
}

/// The entries of a saved state, handed out by name until none is left.
pub(super) struct Entries<'a> {
    entries: HashMap<&'a str, &'a Tensor>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(state: &'a HashMap<String, Tensor>) -> Self {
        let entries = state
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect();
        Self { entries }
    }

    pub(super) fn moment(&mut self, name: &str, var: &Var) -> Result<Moment> {
        let tensor = self.take(name, DType::F32, var.dims())?;
        Ok(match var.device() {
            Device::Cpu => Moment::Host(tensor.flatten_all()?.to_vec1()?),
            device => Moment::Device(tensor.to_device(device)?.contiguous()?.detach()),
        })
    }

    pub(super) fn count(&mut self, name: &str) -> Result<i64> {
        let count = self.take(name, DType::I64, &[])?.to_scalar::<i64>()?;
        if count < 0 {
            candle_core::bail!("optimizer state '{name}' is {count}, expected a count ≥ 0");
        }
        Ok(count)
    }

    /// All entries must have been asked for: one left over belongs to another model.
    pub(super) fn finish(self) -> Result<()> {
        match self.entries.keys().min() {
            None => Ok(()),
            Some(name) => {
                candle_core::bail!("optimizer state has '{name}', which no parameter uses")
            }
        }
    }

    fn take(&mut self, name: &str, dtype: DType, dims: &[usize]) -> Result<&'a Tensor> {
        let Some(tensor) = self.entries.remove(name) else {
            candle_core::bail!("optimizer state lacks '{name}'");
        };
        if tensor.dtype() != dtype || tensor.dims() != dims {
            candle_core::bail!(
                "optimizer state '{name}' is {:?} {:?}, expected {dtype:?} {dims:?}",
                tensor.dtype(),
                tensor.dims()
            );
        }
        Ok(tensor)
    }
}
