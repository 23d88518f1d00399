//! The named parameters of a network: sorted by name, drawn from a seed, checked both ways when loaded.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use crate::init::{self, Fnv};

/// The parameters of a network, by name.
///
/// It takes the place of Candle's `VarMap`, whose order changes from one instance to the next, whose initial
/// weights cannot be seeded on the CPU, and whose `load` passes over surplus tensors. Clones share the variables.
#[derive(Clone)]
pub struct Parameters {
    seed: u64,
    device: Device,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// No parameters yet; layers that are built with [`Self::builder`] add theirs, drawn from `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            seed,
            device: device.clone(),
            vars: Arc::default(),
        }
    }

    /// A builder for Candle's layers: each parameter is drawn once, from the seed and its own name.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.device.clone())
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All of them, sorted by name; buffers such as BatchNorm's running statistics included.
    pub fn all(&self) -> Vec<(String, Var)> {
        let vars = self.lock();
        vars.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    /// Those that an optimizer changes: all but BatchNorm's running statistics.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let is_buffer =
            |name: &str| name.ends_with("running_mean") || name.ends_with("running_var");
        let mut vars = self.all();
        vars.retain(|(name, _)| !is_buffer(name));
        vars
    }

    /// How many numbers are trained.
    pub fn count(&self) -> usize {
        let elements = |(_, var): &(String, Var)| var.elem_count();
        self.trainable().iter().map(elements).sum()
    }

    /// A checksum of all names and values (64-bit FNV-1a, in hex): the same weights have the same one.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = Fnv::default();
        for (name, var) in self.all() {
            hash.write(name.as_bytes());
            for value in var.flatten_all()?.to_vec1::<f32>()? {
                hash.write(&value.to_le_bytes());
            }
        }
        Ok(format!("{:016x}", hash.0))
    }

    /// A copy of all values as they are now.
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>> {
        let copy = |(name, var): (String, Var)| Ok((name, var.as_tensor().copy()?));
        self.all().into_iter().map(copy).collect()
    }

    /// Sets every parameter to the tensor of its name.
    ///
    /// # Errors
    /// When a tensor is missing, surplus, or of another shape; nothing is changed then.
    pub fn load(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let vars = self.lock();
        if let Some(name) = vars.keys().find(|name| !tensors.contains_key(*name)) {
            bail!("the weights have no tensor {name}, which the tower needs")
        }
        if let Some(name) = tensors.keys().find(|name| !vars.contains_key(*name)) {
            bail!("the weights have a tensor {name} that the tower does not know")
        }
        for (name, var) in vars.iter() {
            let shape = tensors[name].shape();
            if shape != var.shape() {
                bail!(
                    "tensor {name} has shape {shape:?}, the tower needs {:?}",
                    var.shape()
                )
            }
        }
        for (name, var) in vars.iter() {
            var.set(
                &tensors[name]
                    .to_device(&self.device)?
                    .to_dtype(DType::F32)?,
            )?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        _: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                bail!(
                    "parameter {name} has shape {:?}, asked for as {shape:?}",
                    var.shape()
                )
            }
            return Ok(var.as_tensor().clone());
        }
        let values = init::draw(init, &shape, self.seed, name)?;
        let var = Var::from_vec(values, shape, device)?;
        vars.insert(name.to_string(), var.clone());
        Ok(var.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => bail!("there is no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(seed: u64) -> Result<Parameters> {
        let parameters = Parameters::new(seed, &Device::Cpu);
        candle_nn::linear(3, 2, parameters.builder().pp("head"))?;
        Ok(parameters)
    }

    #[test]
    fn weights_do_not_depend_on_the_order_of_construction() -> Result<()> {
        let one = Parameters::new(5, &Device::Cpu);
        candle_nn::linear(3, 2, one.builder().pp("a"))?;
        candle_nn::linear(3, 2, one.builder().pp("b"))?;
        let other = Parameters::new(5, &Device::Cpu);
        candle_nn::linear(3, 2, other.builder().pp("b"))?;
        candle_nn::linear(3, 2, other.builder().pp("a"))?;
        for ((name, x), (_, y)) in one.all().iter().zip(other.all()) {
            let (x, y) = (x.flatten_all()?, y.flatten_all()?);
            assert_eq!(x.to_vec1::<f32>()?, y.to_vec1::<f32>()?, "{name}");
        }
        Ok(())
    }

    #[test]
    fn missing_surplus_and_misshapen_tensors_are_named() -> Result<()> {
        let parameters = linear(1)?;
        let good: HashMap<_, _> = linear(2)?.snapshot()?.into_iter().collect();
        parameters.load(&good)?;

        let mut missing = good.clone();
        missing.remove("head.bias");
        let mut surplus = good.clone();
        surplus.insert("tail".into(), good["head.bias"].clone());
        let mut misshapen = good.clone();
        misshapen.insert("head.bias".into(), good["head.weight"].clone());
        for (tensors, name) in [
            (missing, "head.bias"),
            (surplus, "tail"),
            (misshapen, "head.bias"),
        ] {
            let error = parameters.load(&tensors).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        Ok(())
    }
}
