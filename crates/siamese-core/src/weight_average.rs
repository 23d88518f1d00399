//! A running average of weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::parameters::Parameters;

/// The exponential moving average of every parameter, BatchNorm's running statistics included:
/// `average ← decay · average + (1 − decay) · weight` after each step.
///
/// In the first steps the decay is `(1 + n) / (10 + n)` where that is smaller, so that the weights of the beginning are
/// soon forgotten.
pub struct WeightAverage {
    parameters: Parameters,
    averages: BTreeMap<String, Tensor>,
    decay: f64,
    steps: u64,
}

/// What the number of steps is called among the tensors of a checkpoint.
const STEPS: &str = "steps";

impl WeightAverage {
    /// An average that begins at the weights as they are.
    ///
    /// # Errors
    /// When they cannot be copied.
    pub fn new(parameters: &Parameters, decay: f64) -> Result<Self> {
        Ok(Self {
            averages: parameters.snapshot()?,
            parameters: parameters.clone(),
            decay,
            steps: 0,
        })
    }

    /// The parameters that it averages.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Takes in the weights after a step.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn update(&mut self) -> Result<()> {
        self.steps += 1;
        let steps = self.steps as f64;
        let decay = self.decay.min((1.0 + steps) / (10.0 + steps));
        for (name, var) in self.parameters.all() {
            if let Some(average) = self.averages.get_mut(&name) {
                let weight = var.as_tensor().detach();
                *average = ((&*average * decay)? + (weight * (1.0 - decay))?)?;
            }
        }
        Ok(())
    }

    /// Sets the weights to their averages; the caller keeps the weights to go on training with.
    ///
    /// # Errors
    /// When a tensor cannot be set.
    pub fn apply(&self) -> Result<()> {
        let averages: HashMap<String, Tensor> = self.averages.clone().into_iter().collect();
        self.parameters.load(&averages)
    }

    /// What a checkpoint keeps of it.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.averages.clone();
        let steps = Tensor::new(&[self.steps as f64], self.parameters.device())?;
        state.insert(STEPS.into(), steps);
        Ok(state)
    }

    /// Goes on from [`Self::state`].
    ///
    /// # Errors
    /// When a tensor is missing.
    pub fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let Some(steps) = state.get(STEPS) else {
            return Err(missing(STEPS));
        };
        for (name, average) in &mut self.averages {
            let Some(tensor) = state.get(name) else {
                return Err(missing(name));
            };
            *average = tensor.clone();
        }
        self.steps = steps.to_vec1::<f64>()?[0] as u64;
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    candle_core::Error::Msg(format!("the average of the weights has no {name}")).into()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::Init;

    use super::*;

    /// The one parameter `w` of two weights, and its variable.
    fn two_weights() -> Result<(Parameters, Var)> {
        let parameters = Parameters::new(0, &Device::Cpu);
        parameters
            .builder()
            .get_with_hints(2, "w", Init::Const(1.0))?;
        let (_, var) = parameters.all().swap_remove(0);
        Ok((parameters, var))
    }

    #[test]
    fn an_average_holds_on_to_nothing_of_the_steps_before() -> Result<()> {
        let (parameters, var) = two_weights()?;
        let mut average = WeightAverage::new(&parameters, 0.5)?;
        average.update()?;
        // a tensor that remembers how it was made keeps what it was made of, step after step
        let gradients = average.averages["w"].sum_all()?.backward()?;
        assert!(gradients.get(&var).is_none());
        Ok(())
    }

    #[test]
    fn the_average_is_the_naive_one_and_survives_a_checkpoint() -> Result<()> {
        let (parameters, var) = two_weights()?;
        let mut average = WeightAverage::new(&parameters, 0.5)?;
        let mut naive = 1.0f64;
        for step in 1..=6 {
            var.set(&Tensor::new(&[step as f32, 0.0], &Device::Cpu)?)?;
            average.update()?;
            let decay = 0.5f64.min((1.0 + f64::from(step)) / (10.0 + f64::from(step)));
            naive = decay * naive + (1.0 - decay) * f64::from(step);
        }
        let mut again = WeightAverage::new(&parameters, 0.5)?;
        again.load_state(&average.state()?.into_iter().collect())?;
        for average in [&mut average, &mut again] {
            average.apply()?;
            let got = var.as_tensor().to_vec1::<f32>()?[0];
            assert!((f64::from(got) - naive).abs() < 1e-5, "{got} {naive}");
        }
        let error = again.load_state(&HashMap::new()).unwrap_err().to_string();
        assert!(error.contains("steps"), "{error}");
        Ok(())
    }
}
