//! A fully connected layer as one operation, whose weights get their gradients as they are.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use crate::backward;
use crate::cpu::{Buffer, Products, turn};
use crate::pool::Pool;
use crate::rows::{floats, floats_on_host};

/// `x · weightᵀ + bias`: `x` `(B, K)`, `weight` `(D, K)` and `bias` `(D)` → `(B, D)`, as PyTorch has them.
///
/// For f32 in the host's memory; elsewhere Candle's operations do it. To train by: Candle adds the gradient of a weight to
/// zeros, on one thread, which for a few hundred images takes as long as the products.
///
/// ```
/// use candle_core::{Device, Tensor};
/// # fn main() -> candle_core::Result<()> {
/// let x = Tensor::new(&[[1f32, 2.0]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[3f32, 4.0], [5.0, 6.0], [7.0, 8.0]], &Device::Cpu)?;
/// assert_eq!(siamese_kernels::linear(&x, &weight, None)?.to_vec2::<f32>()?, [[11.0, 17.0, 23.0]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the shapes, types or devices do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ((batch, depth), (width, values)) = (x.dims2()?, weight.dims2()?);
    if depth != values {
        bail!("a layer of {values} values to {width} was given {depth} values of an image")
    }
    let on_host = |t: &Tensor| t.dtype() == DType::F32 && t.device().is_cpu();
    let product = if on_host(x) && on_host(weight) && batch * depth * width > 0 {
        let shape = (batch, depth, width);
        let (x, weight) = (x.contiguous()?, weight.contiguous()?);
        x.apply_op2(&weight, Linear { shape })?
    } else {
        x.matmul(&weight.t()?)?
    };
    bias.map_or(Ok(product.clone()), |bias| product.broadcast_add(bias))
}

#[derive(Default)]
struct Work {
    products: Products,
    turned: Buffer,
}

static IDLE: Pool<Work> = Pool::new();

struct Linear {
    /// B, K and D.
    shape: (usize, usize, usize),
}

impl Linear {
    fn forward(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        let (batch, depth, width) = self.shape;
        let mut y = vec![0f32; batch * width];
        IDLE.with(|Work { products, turned }| {
            // the weights are the left matrix, which is read as it lies
            let transposed = turned.resize(width * batch);
            products.product_turned(weight, x, (width, depth, batch), transposed);
            turn(transposed, batch, |_| 1.0, &mut y);
        });
        y
    }

    /// The gradients of `x` and the weight, where that of the output is `slopes` `(B, D)`.
    fn backward(&self, x: &[f32], weight: &[f32], slopes: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (batch, depth, width) = self.shape;
        let mut of_x = vec![0f32; batch * depth];
        let mut of_weight = vec![0f32; width * depth];
        IDLE.with(|Work { products, turned }| {
            products.product(slopes, weight, (batch, width, depth), &mut of_x);
            let transposed = turned.resize(width * batch);
            turn(slopes, width, |_| 1.0, transposed);
            products.product(transposed, x, (width, batch, depth), &mut of_weight);
        });
        (of_x, of_weight)
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "siamese-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        of_x: &Layout,
        weight: &CpuStorage,
        of_weight: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = self.forward(floats(x, of_x)?, floats(weight, of_weight)?);
        Ok((
            CpuStorage::F32(y),
            Shape::from((self.shape.0, self.shape.2)),
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let upstream = upstream.contiguous()?;
        let (of_x, of_weight) = {
            let [x, weight, slopes] = [x, weight, &upstream].map(Tensor::storage_and_layout);
            let on_host = |(storage, layout)| floats_on_host(storage, layout);
            self.backward(
                on_host((&x.0, x.1))?,
                on_host((&weight.0, weight.1))?,
                on_host((&slopes.0, slopes.1))?,
            )
        };
        let of_x = Tensor::from_vec(of_x, x.shape(), x.device())?;
        let of_weight = Tensor::from_vec(of_weight, weight.shape(), weight.device())?;
        Ok((Some(of_x), backward::take(weight, of_weight)))
    }
}
