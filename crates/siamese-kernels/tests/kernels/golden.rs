//! PyTorch's own numbers, written by `golden/kernels.py`.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder};
use siamese_kernels::Activation::{LeakyRelu, Relu};
use siamese_kernels::MaxPool2d;

use crate::check::{TOLERANCE, close};
use crate::net::{Spec, build, conv, read, window};

fn golden() -> HashMap<String, Tensor> {
    let bytes = include_bytes!("../golden/kernels.safetensors");
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap()
}

/// The entries under `prefix`, without it.
fn under(golden: &HashMap<String, Tensor>, prefix: &str) -> HashMap<String, Tensor> {
    let stripped = |(name, tensor): (&String, &Tensor)| {
        Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
    };
    golden.iter().filter_map(stripped).collect()
}

fn check(case: &str, specs: &[Spec]) -> Result<()> {
    let golden = under(&golden(), &format!("{case}/"));
    let before = under(&golden, "before/");
    let vars: HashMap<String, Var> = before
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), Var::from_tensor(tensor)?)))
        .collect::<Result<_>>()?;
    let tensors = vars
        .iter()
        .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
        .collect();
    let layers = build(
        specs,
        VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu),
    )?;

    layers.forward_t(&golden["x0"], true)?;
    layers.forward_t(&golden["x1"], true)?;
    let x = Var::from_tensor(&golden["x2"])?;
    let y = layers.forward_t(&x, true)?;
    close("output", &y, &read(&golden["y"]), TOLERANCE);
    let grads = (y * &golden["dy"])?.sum_all()?.backward()?;
    close(
        "gradient to the input",
        grads.get(&x).unwrap(),
        &read(&golden["dx"]),
        TOLERANCE,
    );
    let expected = under(&golden, "grad/");
    assert!(!expected.is_empty());
    for (name, expected) in expected {
        close(
            &name,
            grads.get(&vars[&name]).unwrap(),
            &read(&expected),
            TOLERANCE,
        );
    }
    for (name, expected) in under(&golden, "after/") {
        close(&name, &vars[&name], &read(&expected), TOLERANCE);
    }
    let evaluated = layers.forward_t(&golden["x2"], false)?;
    close(
        "evaluation",
        &evaluated,
        &read(&golden["evaluation"]),
        TOLERANCE,
    );
    Ok(())
}

#[test]
fn convolution_norm_relu_and_pool_are_pytorch_s() -> Result<()> {
    check(
        "block",
        &[
            conv(3, 5, 3, 1),
            Spec::Norm(5),
            Spec::Act(Relu),
            Spec::Max(window(2, 2, 0)),
        ],
    )
}

#[test]
fn the_imagenet_stem_is_pytorch_s() -> Result<()> {
    let pool = Spec::Max(window(3, 2, 1));
    check(
        "stem",
        &[
            conv(3, 6, 7, 2),
            Spec::Norm(6),
            Spec::Act(LeakyRelu(0.01)),
            pool,
        ],
    )
}

#[test]
fn a_residual_block_is_pytorch_s() -> Result<()> {
    let body = vec![
        conv(4, 6, 3, 2),
        Spec::Norm(6),
        Spec::Act(Relu),
        conv(6, 6, 3, 1),
        Spec::Norm(6),
    ];
    let shortcut = Some(vec![conv(4, 6, 1, 2), Spec::Norm(6)]);
    check(
        "residual",
        &[
            Spec::Residual {
                body,
                shortcut,
                activation: Some(Relu),
            },
            Spec::Global,
        ],
    )
}

#[test]
fn a_wide_kernel_and_an_average_pool_are_pytorch_s() -> Result<()> {
    let first = Spec::Conv {
        inputs: 1,
        outputs: 4,
        window: window(10, 1, 0),
        bias: true,
    };
    check(
        "koch",
        &[first, Spec::Act(Relu), Spec::Avg(window(3, 2, 1))],
    )
}

#[test]
fn a_width_past_one_vector_is_pytorch_s() -> Result<()> {
    let pool = Spec::Max(window(2, 2, 0));
    check(
        "wide",
        &[
            conv(16, 17, 3, 1),
            Spec::Norm(17),
            Spec::Act(LeakyRelu(0.2)),
            pool,
        ],
    )
}

#[test]
fn ties_in_a_max_pool_are_won_as_in_pytorch() -> Result<()> {
    let golden = golden();
    for (kernel_size, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 0)] {
        let case = under(&golden, &format!("ties/{kernel_size}{stride}{padding}/"));
        let x = Var::from_tensor(&golden["ties/x"])?;
        let y = MaxPool2d {
            kernel_size,
            stride,
            padding,
        }
        .forward_t(&x, true)?;
        let grads = (y * &case["dy"])?.sum_all()?.backward()?;
        close("gradient", grads.get(&x).unwrap(), &read(&case["dx"]), 0.0);
    }
    Ok(())
}
