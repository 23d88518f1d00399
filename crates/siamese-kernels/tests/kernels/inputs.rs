//! Tensors of any strides, going in and (as gradients) coming back.

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::ModuleT;
use siamese_kernels::Activation::Relu;

use crate::check::{Case, TOLERANCE, close};
use crate::net::{Spec, conv, read, tensor, window};

fn case() -> Case {
    let specs = [
        conv(3, 6, 3, 1),
        Spec::Norm(6),
        Spec::Act(Relu),
        Spec::Max(window(2, 2, 0)),
    ];
    Case::new(&specs, [3, 3, 5, 7], true, 1)
}

#[test]
fn images_in_channels_last_memory() {
    let case = case();
    let x = case.input();
    let nhwc = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
    let input = nhwc.permute((0, 3, 1, 2)).unwrap();
    assert!(!input.is_contiguous());
    case.run_on(&x, &input, true);
}

#[test]
fn images_that_are_a_view_of_a_larger_tensor() {
    let case = case();
    let x = case.input();
    let zeros = x.zeros_like().unwrap();
    let wide = Tensor::cat(&[&zeros, x.as_tensor(), &zeros], 3).unwrap();
    case.run_on(&x, &wide.narrow(3, 7, 7).unwrap(), true);
    let case = self::case();
    let x = case.input();
    let tall = Tensor::cat(&[&zeros, x.as_tensor()], 0).unwrap();
    case.run_on(&x, &tall.narrow(0, 3, 3).unwrap(), true);
}

#[test]
fn transposed_images() {
    let case = case();
    let x = case.input();
    let input = x.t().unwrap().contiguous().unwrap().t().unwrap();
    assert!(!input.is_contiguous());
    case.run_on(&x, &input, true);
}

#[test]
fn one_image_broadcast_to_a_batch() -> Result<()> {
    let case = case();
    let one = case.input().narrow(0, 0, 1)?.copy()?;
    let broadcast = one.broadcast_as((3, 3, 5, 7))?;
    let ours = case.net.layers.forward_t(&broadcast, false)?;
    let dense = case.net.layers.forward_t(&broadcast.contiguous()?, false)?;
    close("output", &ours, &read(&dense), 1e-7);
    Ok(())
}

#[test]
fn a_gradient_of_any_strides_comes_back_right() -> Result<()> {
    let case = case();
    let x = case.input();
    let y = case.net.layers.forward_t(&x, true)?;
    // Through a transpose the gradient of y is not contiguous, through a sum it is broadcast.
    let dy = tensor(&case.dy.dims, &case.dy.data);
    let loss = (y.transpose(2, 3)? * dy.transpose(2, 3)?)?.sum_all()?;
    let grads = loss.backward()?;
    close("gradient", grads.get(&x).unwrap(), &case.dx.data, TOLERANCE);
    Ok(())
}

#[test]
fn an_output_can_be_flattened_in_nchw_order() -> Result<()> {
    let case = case();
    let y = case.net.layers.forward_t(&case.input(), true)?;
    let flat = y.flatten_from(1)?;
    assert_eq!(flat.dims(), [3, 6 * 2 * 3]);
    close("flattened", &flat, &case.y.data, TOLERANCE);
    Ok(())
}

#[test]
fn an_empty_sequence_is_the_identity() -> Result<()> {
    let x = Tensor::arange(0f32, 24f32, &Device::Cpu)?.reshape((1, 2, 3, 4))?;
    let x = Var::from_tensor(&x)?;
    let y = siamese_kernels::Sequential::new(vec![]).forward_t(&x, true)?;
    close("output", &y, &read(&x), 0.0);
    let grads = (y * 3.0)?.sum_all()?.backward()?;
    close("gradient", grads.get(&x).unwrap(), &[3.0; 24], 0.0);
    Ok(())
}
