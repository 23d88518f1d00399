//! Stochastic gradient descent with momentum, Nesterov's where asked.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use super::param::{Param, check_step, gradient};
use super::state::{Entries, Moment};
use super::{host, param};
#[cfg(any(feature = "cuda", test))]
use crate::gpu;

/// The constants of [`Sgd`]: all off by default, as PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdConfig {
    /// Fraction of the previous velocity that is kept, in `[0, 1)`.
    pub momentum: f64,
    /// Look ahead along the new velocity (needs a momentum).
    pub nesterov: bool,
    /// L2 penalty: `weight_decay · θ` is added to the gradient.
    pub weight_decay: f64,
}

/// `u ← μu + (g + λθ)`, `θ ← θ − lr·u`, as `torch.optim.SGD`; Nesterov's step is `g + λθ + μu`.
#[derive(Debug)]
pub struct Sgd {
    params: Vec<Param>,
    /// One per parameter, or none at all without momentum.
    velocities: Vec<Moment>,
    config: SgdConfig,
}

/// The numbers of one step, already rounded to what the loops compute in.
#[derive(Clone, Copy)]
struct Step {
    lr: f32,
    grad_scale: f32,
    decay: f32,
    momentum: f32,
    nesterov: bool,
}

impl Sgd {
    /// An optimizer over `params`, at rest.
    ///
    /// # Errors
    /// Two parameters of one name or one tensor, a dtype other than f32, a constant out of range,
    /// Nesterov's step without momentum.
    pub fn new(params: Vec<Param>, config: SgdConfig) -> Result<Self> {
        let SgdConfig {
            momentum,
            nesterov,
            weight_decay,
        } = config;
        if !((0.0..1.0).contains(&momentum) && weight_decay >= 0.0) {
            candle_core::bail!(
                "SGD's momentum {momentum} is not in [0, 1) or its weight decay {weight_decay} is not ≥ 0"
            );
        }
        if nesterov && momentum == 0.0 {
            candle_core::bail!("Nesterov's step needs a momentum > 0");
        }
        param::check(&params)?;
        let moving = params.iter().filter(|_| momentum > 0.0);
        let velocities = moving
            .map(|param| Moment::zeros(&param.var))
            .collect::<Result<_>>()?;
        Ok(Self {
            params,
            velocities,
            config,
        })
    }

    /// The parameters, in the order they were given.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// Takes one step with gradients multiplied by `grad_scale` (1 where nothing is clipped).
    ///
    /// A parameter without a gradient, or frozen, is left as it is, and so is its velocity.
    pub fn step(&mut self, grads: &GradStore, lr: f64, grad_scale: f64) -> Result<()> {
        check_step(lr, grad_scale)?;
        for (index, param) in self.params.iter().enumerate() {
            let Some(grad) = gradient(param, grads)? else {
                continue;
            };
            let decay = if param.decay {
                self.config.weight_decay
            } else {
                0.0
            };
            let step = Step::new(&self.config, lr * param.rate, decay, grad_scale);
            match self.velocities.get_mut(index) {
                Some(Moment::Host(velocity)) => {
                    host::update(&param.var, &grad, [velocity], |theta, grad, velocity| {
                        step.apply(theta, grad, velocity);
                    })?;
                }
                None if param.var.device().is_cpu() => {
                    host::update(&param.var, &grad, [], |theta, grad, []| {
                        step.apply_at_rest(theta, grad);
                    })?;
                }
                Some(Moment::Device(velocity)) => {
                    step.apply_on_device(&param.var, &grad, Some(velocity))?;
                }
                None => step.apply_on_device(&param.var, &grad, None)?,
            }
        }
        Ok(())
    }

    /// `NAME.momentum_buffer` of every parameter, sorted by name; nothing without momentum.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let velocities = self.params.iter().zip(&self.velocities);
        let mut state = velocities
            .map(|(Param { name, var, .. }, velocity)| {
                Ok((format!("{name}.momentum_buffer"), velocity.to_tensor(var)?))
            })
            .collect::<Result<Vec<_>>>()?;
        state.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(state)
    }

    /// Puts back what [`state`](Self::state) gave; the next step is then the same to the bit.
    ///
    /// # Errors
    /// A tensor missing, unknown or of another shape is named, and nothing is changed.
    pub fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let mut entries = Entries::new(state);
        let moving = self.params.iter().take(self.velocities.len());
        let velocities = moving
            .map(|Param { name, var, .. }| entries.moment(&format!("{name}.momentum_buffer"), var))
            .collect::<Result<_>>()?;
        entries.finish()?;
        self.velocities = velocities;
        Ok(())
    }
}

impl Step {
    fn new(config: &SgdConfig, lr: f64, decay: f64, grad_scale: f64) -> Self {
        Self {
            lr: lr as f32,
            grad_scale: grad_scale as f32,
            decay: decay as f32,
            momentum: config.momentum as f32,
            nesterov: config.nesterov,
        }
    }

    fn apply(self, theta: &mut [f32], grad: &[f32], [velocity]: [&mut [f32]; 1]) {
        for ((theta, grad), velocity) in theta.iter_mut().zip(grad).zip(velocity) {
            let grad = grad * self.grad_scale + self.decay * *theta;
            *velocity = self.momentum * *velocity + grad;
            let ahead = if self.nesterov {
                grad + self.momentum * *velocity
            } else {
                *velocity
            };
            *theta -= self.lr * ahead;
        }
    }

    fn apply_at_rest(self, theta: &mut [f32], grad: &[f32]) {
        for (theta, grad) in theta.iter_mut().zip(grad) {
            *theta -= self.lr * (grad * self.grad_scale + self.decay * *theta);
        }
    }

    /// Queues the kernel that does what [`apply`](Self::apply) does: on parameter and gradient.
    #[cfg(any(feature = "cuda", test))]
    #[allow(unsafe_code)]
    fn launch<G: gpu::Gpu>(
        self,
        gpu: &G,
        [theta, grad]: [gpu::Place<'_>; 2],
        velocity: Option<gpu::Place<'_>>,
        n: u32,
    ) -> Result<()> {
        let args = gpu::args![
            theta,
            velocity,
            grad,
            self.lr,
            self.grad_scale,
            self.decay,
            self.momentum,
            self.nesterov,
            n,
        ];
        // SAFETY: all hold `n` values.
        unsafe { gpu.launch("sgd", gpu::Grid::elements(n), args) }
    }

    fn apply_on_device(
        self,
        theta: &Var,
        grad: &Tensor,
        velocity: Option<&mut Tensor>,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let candle_core::Device::Cuda(device) = theta.device() {
            let gpu = gpu::Cuda(device);
            let theta = theta.as_tensor();
            return match velocity {
                Some(velocity) => gpu::with_places([theta, grad, velocity], |[t, g, v], n| {
                    self.launch(&gpu, [t, g], Some(v), n)
                }),
                None => gpu::with_places([theta, grad], |p, n| self.launch(&gpu, p, None, n)),
            };
        }
        let old = theta.as_tensor().detach();
        let penalty = (&old * f64::from(self.decay))?;
        let grad = ((grad.detach() * f64::from(self.grad_scale))? + penalty)?;
        let direction = match velocity {
            None => grad,
            Some(velocity) => {
                *velocity = ((&*velocity * f64::from(self.momentum))? + &grad)?;
                match self.nesterov {
                    true => (grad + (&*velocity * f64::from(self.momentum))?)?,
                    false => velocity.clone(),
                }
            }
        };
        theta.set(&(old - (direction * f64::from(self.lr))?)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_formula_on_a_device_is_the_one_in_host_memory() -> Result<()> {
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let config = SgdConfig {
                momentum,
                nesterov,
                weight_decay: 0.1,
            };
            let start: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin()).collect();
            let theta = Var::from_tensor(&Tensor::new(&start[..], &Device::Cpu)?)?;
            let (mut host, mut moving) = (start, vec![0f32; 40]);
            let mut velocity = Tensor::new(&[0f32; 40], &Device::Cpu)?;
            for step in 1..=5 {
                let grad: Vec<f32> = (0..40).map(|i| (i as f32 * step as f32).cos()).collect();
                let numbers = Step::new(&config, 0.05, config.weight_decay, 0.5);
                match momentum > 0.0 {
                    true => numbers.apply(&mut host, &grad, [&mut moving]),
                    false => numbers.apply_at_rest(&mut host, &grad),
                }
                let grad = Tensor::new(grad, &Device::Cpu)?;
                let velocity = (momentum > 0.0).then_some(&mut velocity);
                numbers.apply_on_device(&theta, &grad, velocity)?;
            }
            for (host, device) in host.iter().zip(theta.to_vec1::<f32>()?) {
                assert!((host - device).abs() < 1e-6, "{host} {device}");
            }
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
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let config = SgdConfig {
                momentum,
                nesterov,
                weight_decay: 0.1,
            };
            let mut theta: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut velocity = vec![0f32; 300];
            let device = [&theta, &velocity].map(|v| gpu::twin::Words::of(v));
            for step in 1..=5 {
                let grad: Vec<f32> = (0..300).map(|i| (i as f32 * step as f32).cos()).collect();
                let numbers = Step::new(&config, 0.05, config.weight_decay, 0.5);
                let moving = momentum > 0.0;
                match moving {
                    true => numbers.apply(&mut theta, &grad, [&mut velocity]),
                    false => numbers.apply_at_rest(&mut theta, &grad),
                }
                let grad = gpu::twin::Words::of(&grad);
                let places = [device[0].place(), grad.place()];
                numbers.launch(twin, places, moving.then(|| device[1].place()), 300)?;
            }
            for (host, device) in theta.iter().zip(device[0].values(300)) {
                assert!((host - device).abs() < 1e-5, "{host} {device}");
            }
        }
        Ok(())
    }
}
