//! Convolution, BatchNorm, pooling and optimizer kernels for Candle, whose gradients are right.
//!
//! A [`Sequential`] looks at its layers, groups them into fused units (convolution + BatchNorm +
//! residual add + activation + max-pool) and runs the whole chain as *one* Candle custom op, with
//! a backward of its own. Tensors are f32 and `(B, C, H, W)` from outside, whatever their strides;
//! inside everything is channels-last. Parameters keep PyTorch's names and layouts.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{ModuleT, VarBuilder, VarMap};
//! use siamese_kernels::{Activation, BatchNorm2d, Conv2d, Layer, MaxPool2d, Sequential};
//!
//! # fn main() -> candle_core::Result<()> {
//! let vars = VarMap::new();
//! let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
//! let tower = Sequential::new(vec![
//!     Conv2d::new(3, 16, Default::default(), vb.pp("conv"))?.into(),
//!     BatchNorm2d::new(16, Default::default(), vb.pp("norm"))?.into(),
//!     Activation::Relu.into(),
//!     MaxPool2d::new(2).into(),
//! ]);
//! let images = Tensor::rand(0f32, 1f32, (4, 3, 10, 6), &Device::Cpu)?;
//! let y = tower.forward_t(&images, true)?;
//! assert_eq!(y.dims(), [4, 16, 5, 3]);
//! let grads = y.sum_all()?.backward()?;
//! assert_eq!(grads.get(&vars.all_vars()[0]).is_some(), true);
//! # Ok(())
//! # }
//! ```

mod chain;
mod cpu;
mod layers;
pub mod optim;
mod plan;
mod sequential;

pub use layers::{
    Activation, AvgPool2d, BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool,
    MaxPool2d,
};
pub use sequential::{Layer, Residual, Sequential};
