//! Candle's backward without its copies of gradients.

use std::cell::RefCell;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

thread_local! {
    /// Where chains leave the gradients of variables, while a [`backward`] runs on this thread.
    static TAKEN: RefCell<Option<Vec<(Tensor, Tensor)>>> = const { RefCell::new(None) };
}

/// `loss.backward()`, to which a chain hands the gradients of its parameters as they are: Candle adds each to zeros, on one
/// thread, which for a network of few images is more work than the optimizer's.
///
/// ```
/// use candle_core::{Device, Tensor, Var};
/// # fn main() -> candle_core::Result<()> {
/// let x = Var::new(3f32, &Device::Cpu)?;
/// let gradients = siamese_kernels::backward(&x.sqr()?)?;
/// assert_eq!(gradients.get(&x).unwrap().to_scalar::<f32>()?, 6.0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Tensor::backward`].
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    let taking = Taking(TAKEN.replace(Some(Vec::new())));
    let mut store = loss.backward()?;
    for (variable, gradient) in taking.end() {
        let sum = match store.get(&variable) {
            Some(other) => (other + gradient)?,
            None => gradient,
        };
        store.insert(&variable, sum);
    }
    Ok(store)
}

/// What was there before, put back however a backward ends.
struct Taking(Option<Vec<(Tensor, Tensor)>>);

impl Taking {
    fn end(self) -> Vec<(Tensor, Tensor)> {
        TAKEN.take().unwrap_or_default()
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        TAKEN.replace(self.0.take());
    }
}

/// Takes the gradient of a variable, if a [`backward`] runs here; gives it back where Candle is to add it.
pub(crate) fn take(variable: &Tensor, gradient: Tensor) -> Option<Tensor> {
    TAKEN.with_borrow_mut(|taken| match taken {
        Some(taken) if variable.is_variable() => {
            taken.push((variable.clone(), gradient));
            None
        }
        _ => Some(gradient),
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Var};
    use candle_nn::{ModuleT, VarBuilder, VarMap};

    use super::*;
    use crate::{BatchNorm2d, Conv2d, Conv2dConfig, Sequential};

    #[test]
    fn gradients_are_those_of_candles_backward_also_of_a_chain_that_runs_twice() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let net = Sequential::new(vec![
            Conv2d::new(2, 3, Conv2dConfig::default(), vb.pp("conv"))?.into(),
            BatchNorm2d::new(3, Default::default(), vb.pp("norm"))?.into(),
        ]);
        let wave = |phase: f32| (0..2 * 2 * 5 * 4).map(move |i| (i as f32 * 0.7 + phase).sin());
        let images = |phase| Tensor::from_iter(wave(phase), &Device::Cpu)?.reshape((2, 2, 5, 4));
        let loss = || {
            let one = net.forward_t(&images(0.1)?, true)?;
            let other = net.forward_t(&images(1.3)?, true)?;
            (one * other)?.sqr()?.sum_all()
        };
        let (ours, candles) = (backward(&loss()?)?, loss()?.backward()?);
        let mut seen = 0;
        for var in vars.all_vars() {
            let of = |store: &GradStore| store.get(&var).map(|g| g.flatten_all()?.to_vec1::<f32>());
            if let Some(wanted) = of(&candles).transpose()? {
                let got = of(&ours).transpose()?.unwrap();
                for (got, wanted) in got.iter().zip(&wanted) {
                    assert!((got - wanted).abs() < 1e-4 * wanted.abs().max(1.0));
                }
                seen += 1;
            }
        }
        assert_eq!(seen, 3, "the kernel, and weight and bias of the norm");
        Ok(())
    }

    #[test]
    fn a_parameter_that_is_made_of_others_passes_its_gradient_on() -> Result<()> {
        let half = Var::from_tensor(&Tensor::full(0.5f32, (1, 1, 3, 3), &Device::Cpu)?)?;
        let double = (half.as_tensor() * 2.0)?;
        let vb = VarBuilder::from_tensors(
            [("weight".to_string(), double)].into(),
            DType::F32,
            &Device::Cpu,
        );
        let conv = Conv2d::new(1, 1, Conv2dConfig::default(), vb)?;
        let x = Tensor::ones((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        let loss = || conv.forward_t(&x, true)?.sum_all();
        let (ours, candles) = (backward(&loss()?)?, loss()?.backward()?);
        let of = |store: &GradStore| store.get(&half).map(|g| g.flatten_all()?.to_vec1::<f32>());
        assert_eq!(of(&ours).transpose()?, of(&candles).transpose()?);
        assert!(of(&ours).is_some());
        Ok(())
    }

    /// An operation without a gradient.
    struct OneWay;

    impl CustomOp1 for OneWay {
        fn name(&self) -> &'static str {
            "one-way"
        }

        fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
            Ok((x.clone(), l.shape().clone()))
        }
    }

    #[test]
    fn after_a_backward_that_failed_candles_own_finds_its_gradients() -> Result<()> {
        let x = Var::new(&[1f32, 2.0], &Device::Cpu)?;
        assert!(backward(&x.apply_op1(OneWay)?.sum_all()?).is_err());
        assert!(take(&x, x.ones_like()?).is_some());
        Ok(())
    }
}
