//! Bad input is an error that names the shapes, never a panic.

use candle_core::{DType, Device, Tensor};
use candle_nn::{ModuleT, VarBuilder, VarMap};
use siamese_kernels::{
    Activation, AvgPool2d, BatchNorm2d, Conv2d, Conv2dConfig, GlobalAvgPool, Layer, MaxPool2d,
    Residual, Sequential,
};

fn conv(inputs: usize, outputs: usize, kernel_size: usize, padding: usize) -> Conv2d {
    let config = Conv2dConfig {
        kernel_size,
        padding,
        ..Default::default()
    };
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    Conv2d::new(inputs, outputs, config, vb).unwrap()
}

fn norm(channels: usize) -> BatchNorm2d {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    BatchNorm2d::new(channels, Default::default(), vb).unwrap()
}

#[track_caller]
fn refused(layer: impl Into<Layer>, dims: &[usize], dtype: DType, parts: &[&str]) {
    let x = Tensor::zeros(dims, dtype, &Device::Cpu).unwrap();
    let layers = Sequential::new(vec![layer.into()]);
    for train in [true, false] {
        let error = layers
            .forward_t(&x, train)
            .expect_err("should be refused")
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{error:?} should name {part:?}");
        }
    }
}

#[test]
fn channels_that_do_not_match() {
    refused(
        conv(3, 8, 3, 1),
        &[2, 4, 5, 6],
        DType::F32,
        &["[8, 3, 3, 3]", "4, 5, 6"],
    );
    refused(norm(3), &[2, 4, 5, 6], DType::F32, &["3", "4, 5, 6"]);
}

#[test]
fn images_that_are_not_a_batch() {
    for dims in [
        &[3, 5, 6][..],
        &[2, 3, 5, 6, 1],
        &[0, 3, 5, 6],
        &[2, 3, 0, 6],
    ] {
        let shape = format!("{dims:?}");
        refused(conv(3, 8, 3, 1), dims, DType::F32, &[&shape]);
        refused(GlobalAvgPool, dims, DType::F32, &[&shape]);
    }
}

#[test]
fn images_that_are_not_f32() {
    for dtype in [DType::F64, DType::U8, DType::BF16] {
        refused(
            conv(3, 8, 3, 1),
            &[2, 3, 5, 6],
            dtype,
            &[&format!("{dtype:?}"), "[2, 3, 5, 6]"],
        );
    }
}

#[test]
fn windows_that_do_not_fit() {
    refused(conv(3, 8, 7, 0), &[2, 3, 5, 9], DType::F32, &["7", "5, 9"]);
    refused(MaxPool2d::new(4), &[2, 3, 3, 9], DType::F32, &["4", "3, 9"]);
    refused(AvgPool2d::new(4), &[2, 3, 9, 3], DType::F32, &["4", "9, 3"]);
}

#[test]
fn windows_that_make_no_sense() {
    for (kernel_size, stride, padding) in [(0, 1, 0), (2, 0, 0), (2, 2, 2)] {
        let dims = [1, 1, 6, 6];
        refused(
            MaxPool2d {
                kernel_size,
                stride,
                padding,
            },
            &dims,
            DType::F32,
            &[],
        );
        refused(
            AvgPool2d {
                kernel_size,
                stride,
                padding,
            },
            &dims,
            DType::F32,
            &[],
        );
    }
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    for (kernel_size, stride) in [(0, 1), (3, 0)] {
        let config = Conv2dConfig {
            kernel_size,
            stride,
            ..Default::default()
        };
        assert!(Conv2d::new(3, 8, config, vb.clone()).is_err());
    }
    assert!(Conv2d::new(0, 8, Default::default(), vb.clone()).is_err());
    assert!(BatchNorm2d::new(0, Default::default(), vb).is_err());
}

#[test]
fn slopes_that_make_no_sense() {
    for slope in [-0.1, 1.5, f32::NAN] {
        refused(
            Activation::LeakyRelu(slope),
            &[1, 1, 2, 2],
            DType::F32,
            &["slope"],
        );
    }
}

#[test]
fn paths_that_do_not_meet() {
    let body = Sequential::new(vec![conv(3, 8, 3, 1).into()]);
    let residual = Residual {
        body,
        shortcut: None,
        activation: None,
    };
    refused(residual, &[2, 3, 5, 6], DType::F32, &["8, 5, 6", "3, 5, 6"]);
}

#[test]
fn stored_parameters_of_another_shape() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    Conv2d::new(3, 8, Default::default(), vb.clone()).unwrap();
    let error = Conv2d::new(3, 9, Default::default(), vb)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[9, 3, 3, 3]") && error.contains("[8, 3, 3, 3]"),
        "{error}"
    );
}

#[test]
fn one_value_per_channel_has_no_variance_to_train_on() {
    // PyTorch refuses it too: the unbiased variance would be 0 / 0.
    let x = Tensor::ones((1, 3, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let norm = norm(3);
    match norm.forward_t(&x, true) {
        Err(error) => assert!(error.to_string().contains("1, 3, 1, 1"), "{error}"),
        Ok(y) => panic!("accepted, and gave {y}"),
    }
    norm.forward_t(&x, false).unwrap();
}
