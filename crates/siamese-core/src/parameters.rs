//! The named parameters of a network: sorted by name, drawn from a seed, checked both ways when loaded.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var, bail};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use siamese_files::limits::PARAMETERS;

use crate::error::{Misfit, Result};
use crate::init::{self, Fnv};

/// How the names of BatchNorm's running statistics end.
const RUNNING: [&str; 2] = ["running_mean", "running_var"];
/// How the names of an objective's memory end: embeddings and their labels, kept but not trained.
pub(crate) const MEMORY: [&str; 2] = ["memory.embeddings", "memory.labels"];

/// The parameters of a network, by name.
///
/// It takes the place of Candle's `VarMap`, whose order changes from one instance to the next, whose initial
/// weights cannot be seeded on the CPU, and whose `load` passes over surplus tensors. Clones share the variables.
#[derive(Clone)]
pub struct Parameters {
    device: Device,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    vars: BTreeMap<String, Var>,
    source: Source,
    /// Numbers that layers have asked for.
    asked: u64,
}

/// Where a parameter's first values come from.
enum Source {
    Seed(u64),
    Given {
        left: HashMap<String, Tensor>,
        misfit: Misfit,
    },
}

/// What became of parameters and tensors in [`Parameters::load_matching`], by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Parameters that took a tensor.
    pub taken: Vec<String>,
    /// Parameters that no tensor is for; they keep their values.
    pub fresh: Vec<String>,
    /// Parameters whose tensor has another shape; they keep their values.
    pub misshapen: Vec<String>,
    /// Tensors that no parameter is for.
    pub unused: Vec<String>,
}

impl Parameters {
    /// No parameters yet; layers that are built with [`Self::builder`] add theirs, drawn from `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self::from_source(Source::Seed(seed), device)
    }

    /// No parameters yet; layers that are built with [`Self::builder`] take theirs from `tensors`, by name, and
    /// nothing is drawn. Afterwards [`Self::check_given`] says whether all fitted.
    pub fn from_tensors(tensors: HashMap<String, Tensor>, device: &Device) -> Self {
        let misfit = Misfit::default();
        let left = tensors;
        Self::from_source(Source::Given { left, misfit }, device)
    }

    fn from_source(source: Source, device: &Device) -> Self {
        let vars = BTreeMap::new();
        Self {
            device: device.clone(),
            inner: Arc::new(Mutex::new(Inner {
                vars,
                source,
                asked: 0,
            })),
        }
    }

    /// Whether the tensors that these parameters were made from were exactly those that the layers asked for.
    ///
    /// # Errors
    /// When a tensor was missing, misshapen or asked for by no layer; all are named.
    pub fn check_given(&self) -> Result<()> {
        let Source::Given { left, misfit } = &self.lock().source else {
            return Ok(());
        };
        let mut misfit = misfit.clone();
        misfit.surplus = sorted(left.keys());
        misfit.check()
    }

    /// A builder for Candle's layers: each parameter is made once, from its own name and the seed or the tensors given.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.device.clone())
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All of them, sorted by name; buffers such as BatchNorm's running statistics included.
    pub fn all(&self) -> Vec<(String, Var)> {
        let inner = self.lock();
        let pair = |(name, var): (&String, &Var)| (name.clone(), var.clone());
        inner.vars.iter().map(pair).collect()
    }

    /// Those that an optimizer changes: all but BatchNorm's running statistics and an objective's memory.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let mut vars = self.all();
        vars.retain(|(name, _)| !is_buffer(name));
        vars
    }

    /// Those that a pass in training changes by itself: BatchNorm's running statistics and an objective's memory.
    pub fn buffers(&self) -> Vec<(String, Var)> {
        let mut vars = self.all();
        vars.retain(|(name, _)| is_buffer(name));
        vars
    }

    /// How many numbers are trained.
    pub fn count(&self) -> usize {
        let elements = |(_, var): &(String, Var)| var.elem_count();
        self.trainable().iter().map(elements).sum()
    }

    /// A checksum of all names and values (64-bit FNV-1a, in hex): the same weights have the same one.
    ///
    /// # Errors
    /// When the values cannot be read from the device.
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

    /// A copy of all values as they are now, which no gradient flows through.
    ///
    /// # Errors
    /// When they cannot be copied on the device.
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>> {
        let copy = |(name, var): (String, Var)| Ok((name, var.as_tensor().copy()?.detach()));
        self.all().into_iter().map(copy).collect()
    }

    /// Sets every parameter to the tensor of its name.
    ///
    /// # Errors
    /// When a tensor is missing, surplus, or of another shape; nothing is changed then.
    pub fn load(&self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let vars = self.all();
        let shape_differs = |name: &String, var: &Var| {
            let tensor = tensors.get(name).filter(|t| t.shape() != var.shape())?;
            Some((name.clone(), tensor.dims().to_vec(), var.dims().to_vec()))
        };
        let known = |name: &String| vars.binary_search_by(|(n, _)| n.cmp(name)).is_ok();
        let names = vars.iter().map(|(name, _)| name);
        Misfit {
            missing: sorted(names.filter(|name| !tensors.contains_key(*name))),
            surplus: sorted(tensors.keys().filter(|name| !known(name))),
            misshapen: vars
                .iter()
                .filter_map(|(n, v)| shape_differs(n, v))
                .collect(),
        }
        .check()?;
        for (name, var) in &vars {
            self.set(var, &tensors[name])?;
        }
        Ok(())
    }

    /// Sets those parameters that `tensors` have a value for; `name_in_file` says under which name. The others keep
    /// their values, and the answer names them all: weights trained elsewhere, or for another head.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use siamese_core::{Parameters, candle::{DType, Device, Tensor}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let parameters = Parameters::new(1, &Device::Cpu);
    /// parameters.builder().get((2, 3), "head.weight")?;
    /// parameters.builder().get(2, "head.bias")?;
    /// let weight = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
    /// let file = HashMap::from([("fc.weight".to_string(), weight)]);
    /// let loaded = parameters.load_matching(&file, |name| name.replace("head.", "fc."))?;
    /// assert_eq!((loaded.taken, loaded.fresh), (vec!["head.weight".into()], vec!["head.bias".into()]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a tensor cannot be brought to the device.
    pub fn load_matching(
        &self,
        tensors: &HashMap<String, Tensor>,
        name_in_file: impl Fn(&str) -> String,
    ) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        let mut unused: BTreeMap<&str, ()> = tensors.keys().map(|n| (n.as_str(), ())).collect();
        for (name, var) in self.all() {
            let wanted = name_in_file(&name);
            unused.remove(wanted.as_str());
            match tensors.get(&wanted) {
                None => loaded.fresh.push(name),
                Some(tensor) if tensor.shape() != var.shape() => loaded.misshapen.push(name),
                Some(tensor) => {
                    self.set(&var, tensor)?;
                    loaded.taken.push(name);
                }
            }
        }
        loaded.unused = unused.into_keys().map(String::from).collect();
        Ok(loaded)
    }

    fn set(&self, var: &Var, tensor: &Tensor) -> Result<()> {
        Ok(var.set(&self.own(tensor)?)?)
    }

    fn own(&self, tensor: &Tensor) -> candle_core::Result<Tensor> {
        tensor.to_device(&self.device)?.to_dtype(DType::F32)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_buffer(name: &str) -> bool {
    let mut buffers = RUNNING.iter().chain(&MEMORY);
    buffers.any(|buffer| name.ends_with(buffer))
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        _: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut inner = self.lock();
        if let Some(var) = inner.vars.get(name) {
            if var.shape() != &shape {
                bail!(
                    "parameter {name} has shape {:?}, asked for as {shape:?}",
                    var.shape()
                )
            }
            return Ok(var.as_tensor().clone());
        }
        let asked = shape
            .dims()
            .iter()
            .try_fold(1u64, |n, side| n.checked_mul(*side as u64));
        inner.asked = inner.asked.saturating_add(asked.unwrap_or(u64::MAX));
        PARAMETERS
            .check(inner.asked)
            .map_err(candle_core::Error::msg)?;
        let var = match &mut inner.source {
            Source::Seed(seed) => {
                Var::from_vec(init::draw(init, &shape, *seed, name)?, shape, device)?
            }
            Source::Given { left, misfit } => match left.remove(name) {
                Some(tensor) if tensor.shape() == &shape => Var::from_tensor(&self.own(&tensor)?)?,
                found => {
                    misfit.note(name, found, &shape);
                    // a stand-in of one number: `check_given` is about to refuse the whole
                    return Tensor::zeros((), DType::F32, device)?.broadcast_as(shape);
                }
            },
        };
        inner.vars.insert(name.to_string(), var.clone());
        Ok(var.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().vars.get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => bail!("there is no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().vars.contains_key(name)
    }
}

impl Misfit {
    fn note(&mut self, name: &str, found: Option<Tensor>, wanted: &Shape) {
        match found {
            None => self.missing.push(name.to_string()),
            Some(tensor) => {
                let shapes = (tensor.dims().to_vec(), wanted.dims().to_vec());
                self.misshapen.push((name.to_string(), shapes.0, shapes.1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn linear(seed: u64) -> Result<Parameters> {
        let parameters = Parameters::new(seed, &Device::Cpu);
        candle_nn::linear(3, 2, parameters.builder().pp("head"))?;
        Ok(parameters)
    }

    fn values(parameters: &Parameters) -> Result<HashMap<String, Tensor>> {
        Ok(parameters.snapshot()?.into_iter().collect())
    }

    /// The tensors of a layer with one missing, one surplus and one misshapen.
    fn wrong() -> Result<(HashMap<String, Tensor>, Misfit)> {
        let mut tensors = values(&linear(2)?)?;
        let bias = tensors.remove("head.bias").unwrap();
        tensors.insert("head.weight".into(), bias.clone());
        tensors.insert("tail".into(), bias);
        let misfit = Misfit {
            missing: vec!["head.bias".into()],
            surplus: vec!["tail".into()],
            misshapen: vec![("head.weight".into(), vec![2], vec![2, 3])],
        };
        Ok((tensors, misfit))
    }

    fn misfit_of(result: Result<()>) -> Misfit {
        match result {
            Err(Error::Misfit(misfit)) => misfit,
            other => panic!("{other:?}"),
        }
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
    fn loading_names_all_that_is_missing_surplus_or_misshapen_and_changes_nothing() -> Result<()> {
        let parameters = linear(1)?;
        let before = parameters.fingerprint()?;
        let (tensors, misfit) = wrong()?;
        assert_eq!(misfit_of(parameters.load(&tensors)), misfit);
        assert_eq!(parameters.fingerprint()?, before);
        parameters.load(&values(&linear(2)?)?)?;
        assert_eq!(parameters.fingerprint()?, linear(2)?.fingerprint()?);
        Ok(())
    }

    #[test]
    fn parameters_made_from_tensors_hold_them_and_say_what_did_not_fit() -> Result<()> {
        let given = Parameters::from_tensors(values(&linear(2)?)?, &Device::Cpu);
        candle_nn::linear(3, 2, given.builder().pp("head"))?;
        given.check_given()?;
        assert_eq!(given.fingerprint()?, linear(2)?.fingerprint()?);

        let (tensors, misfit) = wrong()?;
        let given = Parameters::from_tensors(tensors, &Device::Cpu);
        candle_nn::linear(3, 2, given.builder().pp("head"))?;
        assert_eq!(misfit_of(given.check_given()), misfit);
        Ok(())
    }

    #[test]
    fn a_part_is_loaded_and_the_rest_keeps_its_values() -> Result<()> {
        let parameters = linear(1)?;
        let before = values(&parameters)?;
        let (tensors, _) = wrong()?;
        let loaded = parameters.load_matching(&tensors, str::to_string)?;
        let expected = Loaded {
            fresh: vec!["head.bias".into()],
            misshapen: vec!["head.weight".into()],
            unused: vec!["tail".into()],
            ..Loaded::default()
        };
        assert_eq!(loaded, expected);
        for (name, tensor) in values(&parameters)? {
            let (x, y) = (tensor.flatten_all()?, before[&name].flatten_all()?);
            assert_eq!(x.to_vec1::<f32>()?, y.to_vec1::<f32>()?, "{name}");
        }
        Ok(())
    }
}
