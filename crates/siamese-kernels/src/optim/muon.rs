//! Muon: momentum whose step is orthogonalised, for the kernels of convolutions; AdamW for all else.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use super::adamw::{AdamW, AdamWConfig};
use super::param::{Param, check_step, gradient};
use super::state::{Entries, Moment};
use super::{host, param};
use crate::cpu::{Buffer, Products};
use crate::simd::Level;

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

/// The coefficients of Jordan's iteration: steepest at 0 of those that stay near 1.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Added to a norm, so that a gradient of zeros is divided by something.
const TINY: f64 = 1e-7;

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

/// Steps of the iteration between two looks at the matrix itself: rounding may leave `A` an eigenvalue just below zero,
/// which each step makes twelve times larger.
const STEPS_OF_GRAM: usize = 3;

/// Memory of a kernel's steps.
#[derive(Debug)]
struct Workspace {
    products: Products,
    /// What is made orthogonal, and what that gives.
    matrix: Buffer,
    turned: Buffer,
    /// Of `(rows, rows)` matrices: `A`, a polynomial of it, what all polynomials together multiply by, and a fourth.
    own: Buffer,
    polynomial: Buffer,
    factor: Buffer,
    spare: Buffer,
}

impl Default for Workspace {
    fn default() -> Self {
        let [matrix, turned, own, polynomial, factor, spare] = Default::default();
        Self {
            products: Products::new(Level::current()),
            matrix,
            turned,
            own,
            polynomial,
            factor,
            spare,
        }
    }
}

impl Workspace {
    /// Moves all singular values of `matrix` `(rows, cols)` to about 1.
    ///
    /// Each step multiplies from the left by a polynomial of `A`, and so turns `A` into one of itself: the steps are taken on
    /// the `(rows, rows)` matrices alone, all symmetric, and the matrix, several times as wide, is multiplied once.
    fn orthogonalise(&mut self, (rows, cols): (usize, usize), steps: usize) {
        if rows > cols {
            transpose(&self.matrix, (rows, cols), &mut self.turned);
            std::mem::swap(&mut self.matrix, &mut self.turned);
            self.orthogonalise((cols, rows), steps);
            transpose(&self.matrix, (cols, rows), &mut self.turned);
            std::mem::swap(&mut self.matrix, &mut self.turned);
            return;
        }
        let squares = self.matrix.iter().map(|&x| f64::from(x).powi(2));
        let scale = (1.0 / (squares.sum::<f64>().sqrt() + TINY)) as f32;
        self.matrix.iter_mut().for_each(|x| *x *= scale);
        for first in (0..steps).step_by(STEPS_OF_GRAM) {
            self.products
                .gram(&self.matrix, (rows, cols), &mut self.own);
            self.find_factor(rows, STEPS_OF_GRAM.min(steps - first));
            let shape = (rows, rows, cols);
            self.products
                .product(&self.factor, &self.matrix, shape, &mut self.turned);
            std::mem::swap(&mut self.matrix, &mut self.turned);
        }
    }

    /// What `steps` steps multiply a matrix by whose `X·Xᵀ` is `own`.
    fn find_factor(&mut self, rows: usize, steps: usize) {
        let Self {
            products,
            own,
            polynomial,
            factor,
            spare,
            ..
        } = self;
        let [a, b, c] = COEFFICIENTS;
        for step in 1..=steps {
            products.symmetric(&own[..], &own[..], rows, polynomial);
            for (p, own) in polynomial.iter_mut().zip(&**own) {
                *p = b * own + c * *p;
            }
            for row in 0..rows {
                polynomial[row * rows + row] += a;
            }
            if step < steps {
                products.symmetric(&own[..], &polynomial[..], rows, spare);
                products.symmetric(&spare[..], &polynomial[..], rows, own);
            }
            match step {
                1 => std::mem::swap(factor, polynomial),
                _ => {
                    products.symmetric(&factor[..], &polynomial[..], rows, spare);
                    std::mem::swap(factor, spare);
                }
            }
        }
    }
}

fn transpose(m: &[f32], (rows, cols): (usize, usize), to: &mut Buffer) {
    let to = to.resize(rows * cols);
    for (i, row) in m.chunks_exact(cols).enumerate() {
        for (j, x) in row.iter().enumerate() {
            to[j * rows + i] = *x;
        }
    }
}

/// The same by Candle's operations.
fn orthogonal_on_device(m: &Tensor, steps: usize) -> Result<Tensor> {
    let (rows, cols) = m.dims2()?;
    if rows > cols {
        return orthogonal_on_device(&m.t()?.contiguous()?, steps)?
            .t()?
            .contiguous();
    }
    let [a, b, c] = COEFFICIENTS.map(f64::from);
    let norm = (m.sqr()?.sum_all()?.sqrt()? + TINY)?;
    let mut x = m.broadcast_div(&norm)?;
    for _ in 0..steps {
        let own = x.matmul(&x.t()?)?;
        let polynomial = ((&own * b)? + (own.matmul(&own)? * c)?)?;
        x = ((&x * a)? + polynomial.matmul(&x)?)?;
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn wave(len: usize, phase: f32) -> Vec<f32> {
        (0..len)
            .map(|i| (i as f32 * 0.37 + phase).sin() + (i as f32 * i as f32 * 0.11).cos())
            .collect()
    }

    fn orthogonal(m: Vec<f32>, shape: (usize, usize), steps: usize) -> Vec<f32> {
        let mut workspace = Workspace::default();
        workspace.matrix.resize(m.len()).copy_from_slice(&m);
        workspace.orthogonalise(shape, steps);
        workspace.matrix.to_vec()
    }

    #[test]
    fn an_orthogonalised_matrix_has_singular_values_near_one() {
        for (rows, cols) in [(4, 9), (7, 5), (16, 40)] {
            let x = orthogonal(wave(rows * cols, 0.2), (rows, cols), 12);
            // the trace of the smaller Gram matrix is the sum of the squared singular values, which wander from 0.68 to 1.14
            let trace = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let share = trace / rows.min(cols) as f64;
            assert!((0.46..1.3).contains(&share), "{rows}x{cols}: {share}");
        }
    }

    #[test]
    fn a_gradient_of_zeros_has_no_direction() {
        assert_eq!(orthogonal(vec![0.0; 12], (3, 4), 5), [0.0; 12]);
    }

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
