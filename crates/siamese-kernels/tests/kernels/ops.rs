//! Each operation by itself, over odd sizes.

use candle_core::{Device, Tensor, Var};
use candle_nn::ModuleT;
use proptest::prelude::*;
use siamese_kernels::{Activation, AvgPool2d, MaxPool2d};

use crate::check::{Case, check, close};
use crate::net::{Spec, conv, read, window};

const BATCHES: [usize; 2] = [1, 3];

#[test]
fn a_convolution_of_any_width_is_the_naive_one() {
    // Widths around the vector and tile sizes of the kernels, images from one pixel on.
    let widths = [
        (1, 1),
        (3, 64),
        (17, 3),
        (64, 17),
        (64, 64),
        (100, 3),
        (16, 100),
    ];
    let sizes = [(1, 1), (5, 7), (9, 2), (8, 12)];
    for (index, (inputs, outputs)) in widths.into_iter().enumerate() {
        for (height, width) in sizes {
            let batch = BATCHES[index % 2];
            for stride in [1, 2] {
                let specs = [conv(inputs, outputs, 3, stride)];
                check(&specs, [batch, inputs, height, width], true, 1);
            }
        }
    }
}

#[test]
fn a_pointwise_convolution_is_the_naive_one() {
    for (inputs, outputs, stride) in [
        (1, 1, 1),
        (3, 17, 1),
        (64, 100, 1),
        (17, 64, 2),
        (64, 32, 2),
    ] {
        for (height, width) in [(1, 1), (5, 7), (4, 4)] {
            check(
                &[conv(inputs, outputs, 1, stride)],
                [3, inputs, height, width],
                true,
                2,
            );
        }
    }
}

#[test]
fn wide_kernels_are_the_naive_ones() {
    // Koch's 10×10 without padding, and ImageNet's stem.
    let koch = Spec::Conv {
        inputs: 1,
        outputs: 20,
        window: window(10, 1, 0),
        bias: true,
    };
    check(&[koch], [2, 1, 15, 13], true, 3);
    check(&[conv(3, 24, 7, 2)], [2, 3, 15, 18], true, 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_convolution_is_the_naive_one(
        batch in 1usize..4,
        inputs in prop::sample::select(vec![1, 2, 3, 5, 8, 17, 33]),
        outputs in prop::sample::select(vec![1, 3, 4, 7, 16, 17, 40]),
        (height, width) in (1usize..15, 1usize..15),
        (kernel, stride, padding) in (1usize..6, 1usize..4, 0usize..4),
        bias in any::<bool>(),
        seed in 0u64..1000,
    ) {
        prop_assume!(height + 2 * padding >= kernel && width + 2 * padding >= kernel);
        let specs = [Spec::Conv { inputs, outputs, window: window(kernel, stride, padding), bias }];
        check(&specs, [batch, inputs, height, width], true, seed);
    }

    #[test]
    fn any_pool_is_the_naive_one(
        batch in 1usize..4,
        channels in prop::sample::select(vec![1, 3, 8, 17, 64]),
        (height, width) in (1usize..12, 1usize..12),
        (kernel, stride) in (1usize..5, 1usize..4),
        padded in any::<bool>(),
        seed in 0u64..1000,
    ) {
        let padding = if padded { kernel / 2 } else { 0 };
        prop_assume!(height + 2 * padding >= kernel && width + 2 * padding >= kernel);
        for specs in [Spec::Max(window(kernel, stride, padding)), Spec::Avg(window(kernel, stride, padding))] {
            check(&[specs], [batch, channels, height, width], true, seed);
        }
    }
}

#[test]
fn batch_norm_is_the_naive_one_in_both_modes() {
    for channels in [1, 3, 17, 64, 100] {
        for (batch, height, width) in [(3, 1, 1), (1, 5, 7), (3, 4, 3)] {
            let dims = [batch, channels, height, width];
            check(&[Spec::Norm(channels)], dims, true, 4);
            check(&[Spec::Norm(channels)], dims, false, 4);
        }
    }
}

#[test]
fn batch_norm_of_images_far_from_zero_keeps_its_digits() {
    // One pass over Σx and Σx² in f32 would lose the variance here: its first digit is the eighth of Σx².
    let mut case = Case::new(&[Spec::Norm(3)], [4, 3, 6, 5], true, 5);
    case.x = case.x.map(|v| f64::from((v + 3000.0) as f32));
    let mut reference = crate::net::Reference::new(case.net.values(), true);
    let y = reference.forward(&case.net.specs, &case.x);
    let ours = case.net.layers.forward_t(&case.input(), true).unwrap();
    close("output", &ours, &y.data, 2e-3);
    for (name, (_, expected)) in &reference.values {
        close(name, &case.net.var(name), expected, 2e-3);
    }
}

#[test]
fn activations_are_the_naive_ones() {
    for activation in [
        Activation::Relu,
        Activation::LeakyRelu(0.01),
        Activation::LeakyRelu(0.3),
    ] {
        for dims in [[1, 1, 1, 1], [3, 17, 5, 7], [1, 64, 3, 2]] {
            check(&[Spec::Act(activation)], dims, true, 6);
        }
    }
}

#[test]
fn an_activation_at_zero_sends_back_what_pytorch_does() {
    for (activation, expected) in [(Activation::Relu, 0.0), (Activation::LeakyRelu(0.2), 0.2)] {
        let x = Var::zeros((1, 1, 2, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let y = activation.forward_t(&x, true).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        close("gradient", grads.get(&x).unwrap(), &[expected; 2], 1e-7);
    }
}

#[test]
fn a_global_average_is_the_naive_one() {
    for dims in [[1, 1, 1, 1], [3, 17, 5, 7], [2, 100, 4, 4]] {
        check(&[Spec::Global], dims, true, 7);
    }
}

/// The gradient of `Σ pool(x) · dy` on one image of one channel.
fn max_pool_gradient(pool: MaxPool2d, rows: &[&[f32]], dy: &[f64]) -> Vec<f64> {
    let x: Vec<f32> = rows.concat();
    let x = Tensor::from_vec(x, (1, 1, rows.len(), rows[0].len()), &Device::Cpu).unwrap();
    let x = Var::from_tensor(&x).unwrap();
    let y = pool.forward_t(&x, true).unwrap();
    let dy = crate::net::tensor(y.dims(), dy);
    let grads = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
    read(grads.get(&x).unwrap())
}

#[test]
fn of_equal_maxima_the_first_in_scan_order_takes_the_whole_gradient() {
    let two = MaxPool2d::new(2);
    let dx = max_pool_gradient(
        two,
        &[&[5.0, 5.0, 0.0, 1.0], &[5.0, 5.0, 1.0, 1.0]],
        &[2.0, 3.0],
    );
    assert_eq!(dx, [2.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
    // Overlapping windows may share a winner, which then takes the gradients of both.
    let three = MaxPool2d {
        kernel_size: 3,
        stride: 2,
        padding: 1,
    };
    let dx = max_pool_gradient(three, &[&[0.0, 7.0, 7.0], &[0.0, 0.0, 0.0]], &[2.0, 3.0]);
    assert_eq!(dx, [0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn padding_never_wins_a_max_pool() {
    let three = MaxPool2d {
        kernel_size: 3,
        stride: 2,
        padding: 1,
    };
    let dx = max_pool_gradient(three, &[&[-4.0, -3.0], &[-2.0, -5.0]], &[1.0]);
    assert_eq!(dx, [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn padding_counts_as_zeros_in_an_average() {
    let x = Tensor::ones((1, 1, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let y = AvgPool2d {
        kernel_size: 3,
        stride: 2,
        padding: 1,
    }
    .forward_t(&x, false)
    .unwrap();
    close("mean", &y, &[4.0 / 9.0], 1e-6);
}

#[test]
fn a_nan_is_not_hidden() {
    let x = Tensor::new(&[[[[1f32, f32::NAN], [0.0, 2.0]]]], &Device::Cpu).unwrap();
    for layer in [
        MaxPool2d::new(2).into(),
        siamese_kernels::Layer::from(Activation::Relu),
    ] {
        let y = siamese_kernels::Sequential::new(vec![layer])
            .forward_t(&x, false)
            .unwrap();
        assert!(read(&y).iter().any(|v| v.is_nan()), "{y}");
    }
}
