//! AdamW: Adam with decoupled weight decay (Loshchilov & Hutter, 2019).

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};

use super::param::{Param, check_step, gradient};
use super::state::{Entries, Moment};
use super::{host, param};
#[cfg(any(feature = "cuda", test))]
use crate::gpu;

/// The constants of [`AdamW`], PyTorch's by default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the running mean of gradients, in `[0, 1)`.
    pub beta1: f64,
    /// Decay of the running mean of squared gradients, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Fraction of a parameter that `lr · weight_decay` takes away at each step.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// `θ ← θ(1 − lr·λ) − lr · m̂ / (√v̂ + ε)`, as `torch.optim.AdamW` (Algorithm 2 of
/// [Decoupled Weight Decay Regularization](https://arxiv.org/abs/1711.05101)).
#[derive(Debug)]
pub struct AdamW {
    params: Vec<Param>,
    moments: Vec<Moments>,
    config: AdamWConfig,
}

/// As in PyTorch each parameter counts its own steps: those in which it had a gradient.
#[derive(Debug)]
struct Moments {
    steps: i64,
    mean: Moment,
    square: Moment,
}

/// The numbers of one step, already rounded to what the loops compute in.
#[derive(Clone, Copy)]
struct Step {
    keep: f32,
    grad_scale: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    root_correction2: f32,
    eps: f32,
    size: f32,
}

impl AdamW {
    /// An optimizer over `params`, all moments zero.
    ///
    /// # Errors
    /// Two parameters of one name or one tensor, a dtype other than f32, a constant out of range.
    pub fn new(params: Vec<Param>, config: AdamWConfig) -> Result<Self> {
        let AdamWConfig {
            beta1,
            beta2,
            eps,
            weight_decay,
        } = config;
        let fraction = 0.0..1.0;
        if !(fraction.contains(&beta1) && fraction.contains(&beta2)) {
            candle_core::bail!("AdamW's betas ({beta1}, {beta2}) are not in [0, 1)");
        }
        if !(eps >= 0.0 && weight_decay >= 0.0) {
            candle_core::bail!("AdamW's eps {eps} or weight decay {weight_decay} is not ≥ 0");
        }
        param::check(&params)?;
        let zeros = |Param { var, .. }: &Param| {
            Ok(Moments {
                steps: 0,
                mean: Moment::zeros(var)?,
                square: Moment::zeros(var)?,
            })
        };
        let moments = params.iter().map(zeros).collect::<Result<_>>()?;
        Ok(Self {
            params,
            moments,
            config,
        })
    }

    /// The parameters, in the order they were given.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// Takes one step with gradients multiplied by `grad_scale` (1 where nothing is clipped).
    ///
    /// A parameter without a gradient, or frozen, is left as it is, and so are its moments.
    pub fn step(&mut self, grads: &GradStore, lr: f64, grad_scale: f64) -> Result<()> {
        check_step(lr, grad_scale)?;
        for (param, moments) in self.params.iter().zip(&mut self.moments) {
            let Some(grad) = gradient(param, grads)? else {
                continue;
            };
            let lr = lr * param.rate;
            let decay = if param.decay {
                lr * self.config.weight_decay
            } else {
                0.0
            };
            let step = Step::new(&self.config, moments.steps + 1, lr, decay, grad_scale);
            let Moments { mean, square, .. } = moments;
            match (mean, square) {
                (Moment::Host(mean), Moment::Host(square)) => {
                    host::update(&param.var, &grad, [mean, square], |theta, grad, moments| {
                        step.apply(theta, grad, moments);
                    })?;
                }
                (Moment::Device(mean), Moment::Device(square)) => {
                    step.apply_on_device(&param.var, &grad, mean, square)?;
                }
                _ => candle_core::bail!("the moments of '{}' lie on two devices", param.name),
            }
            moments.steps += 1;
        }
        Ok(())
    }

    /// `NAME.step`, `NAME.exp_avg` and `NAME.exp_avg_sq` of every parameter, sorted by name.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::with_capacity(3 * self.params.len());
        for (Param { name, var, .. }, moments) in self.params.iter().zip(&self.moments) {
            state.push((
                format!("{name}.step"),
                Tensor::new(moments.steps, &Device::Cpu)?,
            ));
            state.push((format!("{name}.exp_avg"), moments.mean.to_tensor(var)?));
            state.push((format!("{name}.exp_avg_sq"), moments.square.to_tensor(var)?));
        }
        state.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(state)
    }

    /// Puts back what [`state`](Self::state) gave; the next step is then the same to the bit.
    ///
    /// # Errors
    /// A tensor missing, unknown or of another shape is named, and nothing is changed.
    pub fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let mut entries = Entries::new(state);
        let mut moments = Vec::with_capacity(self.params.len());
        for Param { name, var, .. } in &self.params {
            moments.push(Moments {
                steps: entries.count(&format!("{name}.step"))?,
                mean: entries.moment(&format!("{name}.exp_avg"), var)?,
                square: entries.moment(&format!("{name}.exp_avg_sq"), var)?,
            });
        }
        entries.finish()?;
        self.moments = moments;
        Ok(())
    }
}

impl Step {
    fn new(config: &AdamWConfig, step: i64, lr: f64, decay: f64, grad_scale: f64) -> Self {
        let AdamWConfig {
            beta1, beta2, eps, ..
        } = *config;
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        Self {
            keep: (1.0 - decay) as f32,
            grad_scale: grad_scale as f32,
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            root_correction2: correction(beta2).sqrt() as f32,
            eps: eps as f32,
            size: (lr / correction(beta1)) as f32,
        }
    }

    fn apply(self, theta: &mut [f32], grad: &[f32], [mean, square]: [&mut [f32]; 2]) {
        let moments = mean.iter_mut().zip(square);
        for ((theta, grad), (mean, square)) in theta.iter_mut().zip(grad).zip(moments) {
            let grad = grad * self.grad_scale;
            *mean += (grad - *mean) * self.one_minus_beta1;
            *square = *square * self.beta2 + grad * grad * self.one_minus_beta2;
            let root = square.sqrt() / self.root_correction2 + self.eps;
            *theta = *theta * self.keep - self.size * (*mean / root);
        }
    }

    /// Queues the kernel that does what [`apply`](Self::apply) does: on parameter, moments, gradient.
    #[cfg(any(feature = "cuda", test))]
    #[allow(unsafe_code)]
    fn launch<G: gpu::Gpu>(
        self,
        gpu: &G,
        [theta, mean, square, grad]: [gpu::Place<'_>; 4],
        n: u32,
    ) -> Result<()> {
        let args = gpu::args![
            theta,
            mean,
            square,
            grad,
            self.keep,
            self.grad_scale,
            self.one_minus_beta1,
            self.beta2,
            self.one_minus_beta2,
            self.root_correction2,
            self.eps,
            self.size,
            n,
        ];
        // SAFETY: all four hold `n` values.
        unsafe { gpu.launch("adamw", gpu::Grid::elements(n), args) }
    }

    fn apply_on_device(
        self,
        theta: &Var,
        grad: &Tensor,
        mean: &mut Tensor,
        square: &mut Tensor,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Device::Cuda(device) = theta.device() {
            let tensors = [theta.as_tensor(), mean, square, grad];
            return gpu::with_places(tensors, |places, n| {
                self.launch(&gpu::Cuda(device), places, n)
            });
        }
        let grad = (grad.detach() * f64::from(self.grad_scale))?;
        *mean = (&*mean + ((&grad - &*mean)? * f64::from(self.one_minus_beta1))?)?;
        let new = (grad.sqr()? * f64::from(self.one_minus_beta2))?;
        *square = ((&*square * f64::from(self.beta2))? + new)?;
        let root = square
            .sqrt()?
            .affine(f64::from(1.0 / self.root_correction2), f64::from(self.eps))?;
        let kept = (theta.as_tensor().detach() * f64::from(self.keep))?;
        theta.set(&(kept - ((&*mean / root)? * f64::from(self.size))?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_on_a_device_is_the_one_in_host_memory() -> Result<()> {
        let start: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin()).collect();
        let theta = Var::from_tensor(&Tensor::new(&start[..], &Device::Cpu)?)?;
        let mut host = (start, vec![0f32; 40], vec![0f32; 40]);
        let zeros = Tensor::new(&[0f32; 40], &Device::Cpu)?;
        let (mut mean, mut square) = (zeros.clone(), zeros);
        for step in 1..=5 {
            let grad: Vec<f32> = (0..40).map(|i| (i as f32 * step as f32).cos()).collect();
            let numbers = Step::new(&AdamWConfig::default(), step, 0.05, 0.01, 0.5);
            numbers.apply(&mut host.0, &grad, [&mut host.1, &mut host.2]);
            let grad = Tensor::new(grad, &Device::Cpu)?;
            numbers.apply_on_device(&theta, &grad, &mut mean, &mut square)?;
        }
        let device = theta.to_vec1::<f32>()?;
        for (host, device) in host.0.iter().zip(device) {
            assert!((host - device).abs() < 1e-6, "{host} {device}");
        }
        Ok(())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_gpu_kernel_is_the_loop() -> Result<()> {
        use gpu::Memory;
        let Some(twin) = gpu::twin::Twin::open() else {
            return Ok(());
        };
        let start: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut host = (start.clone(), vec![0f32; 300], vec![0f32; 300]);
        let device = [&host.0, &host.1, &host.2].map(|v| gpu::twin::Words::of(v));
        for step in 1..=5 {
            let grad: Vec<f32> = (0..300).map(|i| (i as f32 * step as f32).cos()).collect();
            let numbers = Step::new(&AdamWConfig::default(), step, 0.05, 0.01, 0.5);
            numbers.apply(&mut host.0, &grad, [&mut host.1, &mut host.2]);
            let grad = gpu::twin::Words::of(&grad);
            let [theta, mean, square] = [&device[0], &device[1], &device[2]].map(Memory::place);
            numbers.launch(twin, [theta, mean, square, grad.place()], 300)?;
        }
        for (host, device) in [&host.0, &host.1, &host.2].iter().zip(&device) {
            for (host, device) in host.iter().zip(device.values(300)) {
                assert!((host - device).abs() < 1e-6, "{host} {device}");
            }
        }
        Ok(())
    }
}
