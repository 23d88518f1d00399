//! Muon: momentum whose step is orthogonalised, for the kernels of convolutions; AdamW for all else.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use super::adamw::{AdamW, AdamWConfig};
use super::orthogonal::{Workspace, orthogonal_on_device};
use super::param::{Param, check_step, gradient};
use super::state::{Entries, Moment};
use super::{host, param};

/// The constants of [`Muon`], Jordan's by default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonConfig {
    /// Learning rate of the kernels, as a multiple of the step's.
    pub rate: f64,
    /// Fraction of the previous velocity that is kept, in `[0, 1)`.
    pub momentum: f64,
    /// Steps of the Newton–Schulz iteration.
    pub steps: usize,
    /// Fraction of a kernel that its learning rate times this takes away at each step.
    pub weight_decay: f64,
    /// Of all parameters that are no kernels.
    pub adamw: AdamWConfig,
}

impl Default for MuonConfig {
    fn default() -> Self {
        Self {
            rate: 20.0,
            momentum: 0.95,
            steps: 5,
            weight_decay: 0.01,
            adamw: AdamWConfig::default(),
        }
    }
}

/// `u ← μu + g`, `θ ← θ(1 − lr·λ) − lr·√max(1, rows/cols) · orthogonal(g + μu)`, as
/// [Muon](https://kellerjordan.github.io/posts/muon/) (Jordan et al., 2024), for every parameter of four axes, a kernel
/// `(C_out, C_in, k, k)` being a matrix of `C_out` rows; [`AdamW`] for the others.
///
/// `orthogonal` makes all singular values about 1 (0.7 to 1.2 after five steps) by the Newton–Schulz iteration
/// `X ← aX + (bA + cA²)X`, `A = XXᵀ`, from `X = M / ‖M‖`. How large a gradient is does not matter for the direction, only
/// how it compares with those before.
#[derive(Debug)]
pub struct Muon {
    params: Vec<Param>,
    kernels: Vec<Kernel>,
    others: AdamW,
    config: MuonConfig,
}

#[derive(Debug)]
struct Kernel {
    param: Param,
    velocity: Moment,
    workspace: Workspace,
}

impl Muon {
    /// An optimizer over `params`, at rest.
    ///
    /// # Errors
    /// Two parameters of one name or one tensor, a dtype other than f32, a constant out of range.
    pub fn new(params: Vec<Param>, config: MuonConfig) -> Result<Self> {
        let MuonConfig {
            rate,
            momentum,
            steps,
            weight_decay,
            adamw,
        } = config;
        if !((0.0..1.0).contains(&momentum)
            && weight_decay >= 0.0
            && rate.is_finite()
            && rate >= 0.0)
        {
            candle_core::bail!(
                "Muon's momentum {momentum} is not in [0, 1), or its weight decay {weight_decay} or rate {rate} is not ≥ 0"
            );
        }
        if steps == 0 {
            candle_core::bail!("Muon's iteration needs at least one step");
        }
        param::check(&params)?;
        let (kernels, others): (Vec<_>, Vec<_>) =
            params.iter().cloned().partition(|p| p.var.rank() == 4);
        let at_rest = |param: Param| {
            let velocity = Moment::zeros(&param.var)?;
            Ok(Kernel {
                param,
                velocity,
                workspace: Workspace::default(),
            })
        };
        Ok(Self {
            params,
            kernels: kernels.into_iter().map(at_rest).collect::<Result<_>>()?,
            others: AdamW::new(others, adamw)?,
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
        self.others.step(grads, lr, grad_scale)?;
        // At once, since the products of a small kernel are too few for all threads.
        let kernels = self.kernels.par_iter_mut();
        kernels.try_for_each(|kernel| match gradient(&kernel.param, grads)? {
            Some(grad) => kernel.step(&grad, &self.config, lr, grad_scale),
            None => Ok(()),
        })
    }

    /// `NAME.momentum_buffer` of every kernel and [`AdamW::state`] of the others, sorted by name.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = self.others.state()?;
        for Kernel {
            param, velocity, ..
        } in &self.kernels
        {
            state.push((buffer(param), velocity.to_tensor(&param.var)?));
        }
        state.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(state)
    }

    /// Puts back what [`state`](Self::state) gave; the next step is then the same to the bit.
    ///
    /// # Errors
    /// A tensor missing, unknown or of another shape is named, and nothing is changed.
    pub fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let of_kernel = |name: &String| self.kernels.iter().any(|k| buffer(&k.param) == *name);
        let copy = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.clone());
        let (own, others): (HashMap<_, _>, HashMap<_, _>) = state
            .iter()
            .map(copy)
            .partition(|(name, _)| of_kernel(name));
        let mut entries = Entries::new(&own);
        let velocities = self
            .kernels
            .iter()
            .map(|Kernel { param, .. }| entries.moment(&buffer(param), &param.var))
            .collect::<Result<Vec<_>>>()?;
        self.others.load_state(&others)?;
        for (kernel, velocity) in self.kernels.iter_mut().zip(velocities) {
            kernel.velocity = velocity;
        }
        Ok(())
    }
}

/// What the velocity of a kernel is called among the tensors of a checkpoint.
fn buffer(param: &Param) -> String {
    format!("{}.momentum_buffer", param.name)
}

impl Kernel {
    fn step(&mut self, grad: &Tensor, config: &MuonConfig, lr: f64, grad_scale: f64) -> Result<()> {
        let Self {
            param,
            velocity,
            workspace,
        } = self;
        let rows = param.var.dim(0)?;
        let cols = param.var.elem_count() / rows.max(1);
        let lr = lr * param.rate * config.rate;
        let decay = if param.decay {
            config.weight_decay
        } else {
            0.0
        };
        let step = Step {
            grad_scale: grad_scale as f32,
            momentum: config.momentum as f32,
            keep: (1.0 - lr * decay) as f32,
            size: (lr * (rows as f64 / cols.max(1) as f64).max(1.0).sqrt()) as f32,
        };
        match velocity {
            Moment::Host(velocity) => {
                let ahead = workspace.matrix.resize(velocity.len());
                host::with_slice(grad, |grad| step.ahead(grad, velocity, ahead))?;
                workspace.orthogonalise((rows, cols), config.steps);
                let direction = &mut workspace.matrix[..];
                host::update(&param.var, grad, [direction], |theta, _, [direction]| {
                    step.apply(theta, direction);
                })
            }
            Moment::Device(velocity) => {
                step.apply_on_device(&param.var, grad, velocity, (rows, cols), config.steps)
            }
        }
    }
}

/// The numbers of one step, already rounded to what the loops compute in.
#[derive(Clone, Copy)]
struct Step {
    grad_scale: f32,
    momentum: f32,
    keep: f32,
    size: f32,
}

impl Step {
    /// Moves the velocity, and looks ahead along it.
    fn ahead(self, grad: &[f32], velocity: &mut [f32], ahead: &mut [f32]) {
        for ((grad, velocity), ahead) in grad.iter().zip(velocity).zip(ahead) {
            let grad = grad * self.grad_scale;
            *velocity = self.momentum * *velocity + grad;
            *ahead = grad + self.momentum * *velocity;
        }
    }

    fn apply(self, theta: &mut [f32], direction: &[f32]) {
        for (theta, direction) in theta.iter_mut().zip(direction) {
            *theta = *theta * self.keep - self.size * direction;
        }
    }

    fn apply_on_device(
        self,
        theta: &Var,
        grad: &Tensor,
        velocity: &mut Tensor,
        shape: (usize, usize),
        steps: usize,
    ) -> Result<()> {
        let grad = (grad.detach() * f64::from(self.grad_scale))?;
        *velocity = ((&*velocity * f64::from(self.momentum))? + &grad)?;
        let ahead = (grad + (&*velocity * f64::from(self.momentum))?)?.reshape(shape)?;
        let direction = orthogonal_on_device(&ahead, steps)?.reshape(theta.shape())?;
        let kept = (theta.as_tensor().detach() * f64::from(self.keep))?;
        theta.set(&(kept - (direction * f64::from(self.size))?)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::optim::orthogonal::tests::{orthogonal, wave};

    #[test]
    fn the_formula_on_a_device_is_the_one_in_host_memory() -> Result<()> {
        for shape in [(6, 3, 3, 3), (20, 2, 3, 3)] {
            let (rows, cols) = (shape.0, shape.1 * shape.2 * shape.3);
            let start = wave(rows * cols, 0.7);
            let theta = Var::from_tensor(&Tensor::from_slice(&start, shape, &Device::Cpu)?)?;
            let (mut host, mut moving) = (start, vec![0f32; rows * cols]);
            let mut velocity = theta.as_tensor().zeros_like()?;
            let step = Step {
                grad_scale: 0.5,
                momentum: 0.9,
                keep: 0.99,
                size: 0.05,
            };
            for at in 1..=4 {
                let grad = wave(rows * cols, at as f32);
                let mut ahead = vec![0.0; grad.len()];
                step.ahead(&grad, &mut moving, &mut ahead);
                let direction = orthogonal(ahead, (rows, cols), 5);
                step.apply(&mut host, &direction);
                let grad = Tensor::from_vec(grad, shape, &Device::Cpu)?;
                step.apply_on_device(&theta, &grad, &mut velocity, (rows, cols), 5)?;
            }
            for (host, device) in host.iter().zip(theta.flatten_all()?.to_vec1::<f32>()?) {
                assert!((host - device).abs() < 1e-4, "{host} {device}");
            }
        }
        Ok(())
    }
}
