//! Rows in one pass on a CPU, where Candle's operations would take twenty: unit length, and what a row of cosines costs.
//!
//! A row is one task's, so that the bits do not depend on the threads. What is no f32 in the host's memory goes by Candle's
//! operations, which the tests hold these to.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

/// A task has at least so many numbers.
const TASK: usize = 1 << 14;

/// Whether these are rows that this module takes.
pub(crate) fn takes(x: &Tensor) -> bool {
    x.rank() == 2 && x.dtype() == DType::F32 && x.device().is_cpu()
}

/// Rows `(B, D)` as `x / √(Σx² + ε)`.
pub(crate) fn unit(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let epsilon = epsilon as f32;
    x.contiguous()?.apply_op1(Unit { epsilon })
}

/// Cross-entropy of `scale · (cosine − margin·[of the true class])` with a target of which `smoothing` is spread over all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassCost {
    pub(crate) scale: f32,
    pub(crate) margin: f32,
    pub(crate) smoothing: f32,
}

impl ClassCost {
    /// Of cosines `(B, C)` each image's cost, and 1 where another class than `labels` says is as similar, else 0: both
    /// `(B, 1)`, the latter without a gradient.
    pub(crate) fn of(self, cosines: &Tensor, labels: Vec<u32>) -> Result<(Tensor, Tensor)> {
        let (rows, classes) = cosines.dims2()?;
        if labels.len() != rows || labels.iter().any(|&label| label as usize >= classes) {
            bail!("{rows} rows of cosines with {classes} classes do not fit the labels")
        }
        let cost = Costs { cost: self, labels };
        let told = cosines.contiguous()?.apply_op1(cost)?;
        Ok((told.narrow(1, 0, 1)?, told.narrow(1, 1, 1)?.detach()))
    }

    /// Cost, missed or not, and the logarithm of the sum of the exponentials.
    fn row(self, cosines: &[f32], label: usize) -> [f32; TOLD] {
        let own = self.scale * (cosines[label] - self.margin);
        let (before, after) = (&cosines[..label], &cosines[label + 1..]);
        let others = || before.iter().chain(after).copied();
        let top = others().fold(f32::NEG_INFINITY, f32::max);
        let shift = others().fold(own, |most, cosine| most.max(self.scale * cosine));
        let exp = |logit: f32| f64::from((logit - shift).exp());
        let sum = exp(own) + others().map(|cosine| exp(self.scale * cosine)).sum::<f64>();
        let sum_of_logits = f64::from(self.scale) * others().map(f64::from).sum::<f64>();
        let mean = (sum_of_logits + f64::from(own)) / cosines.len() as f64;
        let log_sum = f64::from(shift) + sum.ln();
        let smoothing = f64::from(self.smoothing);
        let cost = log_sum - (1.0 - smoothing) * f64::from(own) - smoothing * mean;
        let missed = f32::from(u8::from(top >= cosines[label]));
        [cost as f32, missed, log_sum as f32]
    }

    /// What the cosines' costs change by, times `upstream`.
    fn slopes(self, cosines: &[f32], label: usize, log_sum: f32, upstream: f32, to: &mut [f32]) {
        let spread = self.smoothing / cosines.len() as f32;
        let factor = upstream * self.scale;
        for (to, cosine) in to.iter_mut().zip(cosines) {
            *to = factor * ((self.scale * cosine - log_sum).exp() - spread);
        }
        let own = (self.scale * (cosines[label] - self.margin) - log_sum).exp();
        to[label] = factor * (own - spread - (1.0 - self.smoothing));
    }
}

/// Numbers of a row of [`Costs`].
const TOLD: usize = 3;

struct Costs {
    cost: ClassCost,
    labels: Vec<u32>,
}

impl CustomOp1 for Costs {
    fn name(&self) -> &'static str {
        "class-cost"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, classes) = layout.shape().dims2()?;
        let cosines = slice(storage, layout)?;
        let mut told = vec![0f32; rows * TOLD];
        tasks(&mut told, TOLD, classes, |i, to| {
            let row = &cosines[i * classes..(i + 1) * classes];
            to.copy_from_slice(&self.cost.row(row, self.labels[i] as usize));
        });
        Ok((CpuStorage::F32(told), Shape::from((rows, TOLD))))
    }

    fn bwd(&self, cosines: &Tensor, told: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let upstream = upstream.contiguous()?;
        Ok(Some(cosines.contiguous()?.apply_op3_no_bwd(
            told,
            &upstream,
            &Slopes(self),
        )?))
    }
}

struct Slopes<'a>(&'a Costs);

impl CustomOp3 for Slopes<'_> {
    fn name(&self) -> &'static str {
        "class-cost-backward"
    }

    fn cpu_fwd(
        &self,
        cosines: &CpuStorage,
        layout: &Layout,
        told: &CpuStorage,
        told_layout: &Layout,
        upstream: &CpuStorage,
        upstream_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, classes) = layout.shape().dims2()?;
        let cosines = slice(cosines, layout)?;
        let (told, upstream) = (slice(told, told_layout)?, slice(upstream, upstream_layout)?);
        let mut slopes = vec![0f32; cosines.len()];
        tasks(&mut slopes, classes, classes, |i, to| {
            let row = &cosines[i * classes..(i + 1) * classes];
            let label = self.0.labels[i] as usize;
            let (log_sum, upstream) = (told[i * TOLD + 2], upstream[i * TOLD]);
            self.0.cost.slopes(row, label, log_sum, upstream, to);
        });
        Ok((CpuStorage::F32(slopes), layout.shape().clone()))
    }
}

struct Unit {
    epsilon: f32,
}

impl Unit {
    fn length(&self, row: &[f32]) -> f32 {
        (dot(row, row) + self.epsilon).sqrt()
    }
}

impl CustomOp1 for Unit {
    fn name(&self) -> &'static str {
        "unit-rows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let mut rows = slice(storage, layout)?.to_vec();
        tasks(&mut rows, width, width, |_, row| {
            let length = self.length(row);
            row.iter_mut().for_each(|x| *x /= length);
        });
        Ok((CpuStorage::F32(rows), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let upstream = upstream.contiguous()?;
        let x = x.contiguous()?;
        Ok(Some(x.apply_op2_no_bwd(&upstream, &UnitSlopes(self))?))
    }
}

struct UnitSlopes<'a>(&'a Unit);

impl CustomOp2 for UnitSlopes<'_> {
    fn name(&self) -> &'static str {
        "unit-rows-backward"
    }

    /// With `y = x/n`: `(g − y·(g·y)) / n`.
    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        upstream: &CpuStorage,
        upstream_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = slice(x, layout)?;
        let mut slopes = slice(upstream, upstream_layout)?.to_vec();
        tasks(&mut slopes, width, width, |i, slope| {
            let row = &x[i * width..(i + 1) * width];
            let length = self.0.length(row);
            let along = dot(row, slope) / (length * length);
            for (slope, x) in slope.iter_mut().zip(row) {
                *slope = (*slope - x * along) / length;
            }
        });
        Ok((CpuStorage::F32(slopes), layout.shape().clone()))
    }
}

/// Rows of `width` numbers, each made by `work` of its index, which looks at `read` numbers for it.
fn tasks(rows: &mut [f32], width: usize, read: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if width == 0 {
        return;
    }
    let rows = rows.par_chunks_exact_mut(width).enumerate();
    let least = TASK / read.max(1) + 1;
    rows.with_min_len(least).for_each(|(i, row)| work(i, row));
}

/// The product of two rows, in lanes that are added up in a fixed order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The numbers of a contiguous tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((first, end)) = layout.contiguous_offsets() else {
        bail!("expected a contiguous tensor, got {layout:?}")
    };
    Ok(&storage.as_slice::<f32>()?[first..end])
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device, Var};

    use super::*;

    fn wave(rows: usize, width: usize, phase: f32) -> Result<Tensor> {
        let wave = |i: usize| (i as f32 * 0.37 + phase).sin() + (i as f32).powi(2).cos();
        let values: Vec<f32> = (0..rows * width).map(wave).collect();
        Tensor::from_vec(values, (rows, width), &Device::Cpu)
    }

    /// The largest difference, of two tensors of which one may be f64.
    fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
        let [a, b] = [a, b].map(|x| x.to_dtype(DType::F64));
        (a? - b?)?.abs()?.flatten_all()?.max(0)?.to_scalar()
    }

    #[test]
    fn rows_of_unit_length_and_their_gradient_are_those_of_the_formula_in_f64() -> Result<()> {
        for (rows, width) in [(1, 1), (3, 5), (70, 130), (5, 16)] {
            let x = wave(rows, width, 0.1)?;
            let zero = Tensor::zeros((1, width), DType::F32, &Device::Cpu)?;
            let x = Var::from_tensor(&Tensor::cat(&[&x, &zero], 0)?)?;
            let exact = Var::from_tensor(&x.to_dtype(DType::F64)?)?;
            let naive =
                exact.broadcast_div(&(exact.sqr()?.sum_keepdim(D::Minus1)? + 1e-6)?.sqrt()?)?;
            let weights = wave(rows + 1, width, 2.0)?;
            let fast = unit(&x, 1e-6)?;
            assert!(apart(&fast, &naive)? < 1e-6);
            let fast = (fast * &weights)?.sum_all()?.backward()?;
            let naive = (naive * weights.to_dtype(DType::F64)?)?
                .sum_all()?
                .backward()?;
            let [fast, naive] = [fast.get(&x), naive.get(&exact)].map(|g| g.unwrap().clone());
            let scale = naive.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
            assert!(apart(&fast, &naive)? < 3e-6 * scale.max(1.0));
        }
        Ok(())
    }

    #[test]
    fn costs_and_their_gradient_are_those_of_the_formula_in_f64() -> Result<()> {
        for (rows, classes) in [(1, 1), (4, 2), (9, 33), (40, 3000)] {
            for (scale, margin, smoothing) in
                [(20f64, 0.0, 0.0), (64.0, 0.35, 0.1), (-3.0, 0.1, 0.5)]
            {
                let cosines = Var::from_tensor(&wave(rows, classes, 0.3)?.tanh()?)?;
                let exact = Var::from_tensor(&cosines.to_dtype(DType::F64)?)?;
                let labels: Vec<u32> = (0..rows).map(|i| (i * 7 % classes) as u32).collect();
                let mut truth = vec![0f64; rows * classes];
                for (i, &label) in labels.iter().enumerate() {
                    truth[i * classes + label as usize] = 1.0;
                }
                let truth = Tensor::from_vec(truth, (rows, classes), &Device::Cpu)?;
                let logits = ((exact.as_tensor() - (&truth * margin)?)? * scale)?;
                let target = truth.affine(1.0 - smoothing, smoothing / classes as f64)?;
                let likely = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
                let naive = (likely * target)?.sum_keepdim(D::Minus1)?.neg()?;
                let cost = ClassCost {
                    scale: scale as f32,
                    margin: margin as f32,
                    smoothing: smoothing as f32,
                };
                let (fast, missed) = cost.of(&cosines, labels.clone())?;
                let size = naive.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
                assert!(
                    apart(&fast, &naive)? <= 1e-6 * size.max(1.0),
                    "{rows} {classes} {scale}"
                );
                for ((row, &label), missed) in cosines
                    .to_vec2::<f32>()?
                    .iter()
                    .zip(&labels)
                    .zip(missed.flatten_all()?.to_vec1::<f32>()?)
                {
                    let others = row.iter().enumerate().filter(|(c, _)| *c != label as usize);
                    let any = others
                        .into_iter()
                        .any(|(_, &other)| other >= row[label as usize]);
                    assert_eq!(missed, f32::from(u8::from(any)));
                }
                let weights = wave(rows, 1, 1.0)?;
                let fast = (fast * &weights)?.sum_all()?.backward()?;
                let naive = (naive * weights.to_dtype(DType::F64)?)?
                    .sum_all()?
                    .backward()?;
                let [fast, naive] =
                    [fast.get(&cosines), naive.get(&exact)].map(|g| g.unwrap().clone());
                assert!(
                    apart(&fast, &naive)? < 3e-6 * scale.abs(),
                    "{rows} {classes} {scale}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_no_number_stays_none_and_labels_must_fit() -> Result<()> {
        let cost = ClassCost {
            scale: 8.0,
            margin: 0.0,
            smoothing: 0.1,
        };
        let cosines = Tensor::new(&[[0.5f32, f32::NAN]], &Device::Cpu)?;
        assert!(cost.of(&cosines, vec![0])?.0.to_vec2::<f32>()?[0][0].is_nan());
        assert!(cost.of(&cosines, vec![2]).is_err());
        assert!(cost.of(&cosines, vec![0, 0]).is_err());
        Ok(())
    }
}
