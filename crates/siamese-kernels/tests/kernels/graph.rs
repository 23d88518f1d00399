//! What Candle's graph may do with a layer: use it twice, freeze it, change it, drop it.

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder};
use siamese_kernels::Activation::{LeakyRelu, Relu};
use siamese_kernels::{BatchNorm2d, Conv2d, Layer, MaxPool2d, Sequential};

use crate::check::{Case, TOLERANCE, close};
use crate::net::{Net, Reference, Spec, build, conv, draw_map, read, tensor, window};

fn specs() -> Vec<Spec> {
    let body = vec![conv(6, 6, 3, 1), Spec::Norm(6)];
    vec![
        conv(3, 6, 3, 1),
        Spec::Norm(6),
        Spec::Act(Relu),
        Spec::Residual {
            body,
            shortcut: None,
            activation: Some(LeakyRelu(0.1)),
        },
        Spec::Max(window(2, 2, 0)),
    ]
}

fn weighted(y: &Tensor, case: &Case) -> Result<Tensor> {
    (y * tensor(&case.dy.dims, &case.dy.data))?.sum_all()
}

#[test]
fn two_forwards_before_one_backward_add_their_gradients() -> Result<()> {
    // As a Siamese tower is used: the same weights on two batches, of two sizes.
    let a = Case::new(&specs(), [2, 3, 6, 8], false, 1);
    let mut b = None;
    for seed in 0..50 {
        let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(seed);
        let x = draw_map(&mut rng, [3, 3, 4, 5]);
        let mut reference = Reference::new(a.net.values(), false);
        let y = reference.forward(&a.net.specs, &x);
        if reference.margin >= crate::check::MARGIN {
            let dy = draw_map(&mut rng, y.dims);
            b = Some((x, reference.backward(&dy), dy));
            break;
        }
    }
    let (x, (dx, grads_b), dy) = b.unwrap();
    let (xa, xb) = (a.input(), Var::from_tensor(&tensor(&x.dims, &x.data))?);
    let (ya, yb) = (
        a.net.layers.forward_t(&xa, false)?,
        a.net.layers.forward_t(&xb, false)?,
    );
    let loss = (weighted(&ya, &a)? + (yb * tensor(&dy.dims, &dy.data))?.sum_all()?)?;
    let grads = loss.backward()?;
    close(
        "first input",
        grads.get(&xa).unwrap(),
        &a.dx.data,
        TOLERANCE,
    );
    close("second input", grads.get(&xb).unwrap(), &dx.data, TOLERANCE);
    for (name, of_a) in &a.grads {
        let sum: Vec<f64> = of_a
            .iter()
            .zip(&grads_b[name])
            .map(|(a, b)| a + b)
            .collect();
        close(name, grads.get(&a.net.var(name)).unwrap(), &sum, TOLERANCE);
    }
    Ok(())
}

#[test]
fn a_tower_behind_a_tower_uses_the_same_weights_twice() -> Result<()> {
    let twice = [conv(3, 3, 3, 1), Spec::Act(LeakyRelu(0.1))];
    let net = Net::new(&twice, 3);
    let values = net.values();
    let mut unrolled = values.clone();
    unrolled.insert("2.weight".into(), values["0.weight"].clone());
    let specs = [&twice[..], &twice[..]].concat();
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(3);
    let x = draw_map(&mut rng, [2, 3, 5, 4]);
    let mut reference = Reference::new(unrolled, true);
    let y = reference.forward(&specs, &x);
    assert!(reference.margin >= crate::check::MARGIN);
    let dy = draw_map(&mut rng, y.dims);
    let (dx, expected) = reference.backward(&dy);
    let x = Var::from_tensor(&tensor(&x.dims, &x.data))?;
    let y = net
        .layers
        .forward_t(&net.layers.forward_t(&x, true)?, true)?;
    let grads = (y * tensor(&dy.dims, &dy.data))?.sum_all()?.backward()?;
    close("input", grads.get(&x).unwrap(), &dx.data, TOLERANCE);
    let sum: Vec<f64> = expected["0.weight"]
        .iter()
        .zip(&expected["2.weight"])
        .map(|(a, b)| a + b)
        .collect();
    close(
        "weight",
        grads.get(&net.var("0.weight")).unwrap(),
        &sum,
        TOLERANCE,
    );
    Ok(())
}

#[test]
fn a_second_backward_of_one_loss_is_right_or_an_error() -> Result<()> {
    let case = Case::new(&specs(), [2, 3, 6, 8], true, 4);
    let x = case.input();
    let loss = weighted(&case.net.layers.forward_t(&x, true)?, &case)?;
    loss.backward()?;
    if let Ok(grads) = loss.backward() {
        close("input", grads.get(&x).unwrap(), &case.dx.data, TOLERANCE);
        for (name, expected) in &case.grads {
            close(
                name,
                grads.get(&case.net.var(name)).unwrap(),
                expected,
                TOLERANCE,
            );
        }
    }
    Ok(())
}

#[test]
fn images_without_gradient_change_no_other_gradient() -> Result<()> {
    let case = Case::new(&specs(), [2, 3, 6, 8], true, 5);
    let x = case.input();
    let grads = weighted(&case.net.layers.forward_t(&x.detach(), true)?, &case)?.backward()?;
    assert!(grads.get(&x).is_none());
    for (name, expected) in &case.grads {
        close(
            name,
            grads.get(&case.net.var(name)).unwrap(),
            expected,
            TOLERANCE,
        );
    }
    Ok(())
}

#[test]
fn a_frozen_network_still_passes_the_gradient_on() -> Result<()> {
    let case = Case::new(&specs(), [2, 3, 6, 8], true, 6);
    let tensors: HashMap<String, Tensor> = case
        .after
        .keys()
        .map(|name| (name.clone(), case.net.var(name).as_detached_tensor()))
        .collect();
    let vb = VarBuilder::from_tensors(tensors.clone(), candle_core::DType::F32, &Device::Cpu);
    let frozen = build(&case.net.specs, vb)?;
    let x = case.input();
    let grads = weighted(&frozen.forward_t(&x, true)?, &case)?.backward()?;
    close("input", grads.get(&x).unwrap(), &case.dx.data, TOLERANCE);
    for (name, tensor) in &tensors {
        assert!(
            grads.get(tensor).is_none(),
            "{name} is frozen and has a gradient"
        );
    }
    Ok(())
}

#[test]
fn a_partly_frozen_network_trains_the_rest() -> Result<()> {
    let specs = [
        conv(3, 4, 3, 1),
        Spec::Norm(4),
        Spec::Act(Relu),
        conv(4, 5, 3, 1),
    ];
    let case = Case::new(&specs, [2, 3, 5, 6], true, 7);
    let frozen = case.net.var("0.weight").as_detached_tensor();
    let frozen = HashMap::from([("weight".to_string(), frozen)]);
    let frozen = VarBuilder::from_tensors(frozen, candle_core::DType::F32, &Device::Cpu);
    let vb = VarBuilder::from_varmap(&case.net.vars, candle_core::DType::F32, &Device::Cpu);
    let layers = Sequential::new(vec![
        Conv2d::new(3, 4, Default::default(), frozen)?.into(),
        BatchNorm2d::new(4, Default::default(), vb.pp("1"))?.into(),
        Relu.into(),
        Conv2d::new(4, 5, Default::default(), vb.pp("3"))?.into(),
    ]);
    let x = Tensor::from_slice(
        &read(&case.input())
            .iter()
            .map(|&v| v as f32)
            .collect::<Vec<_>>(),
        (2, 3, 5, 6),
        &Device::Cpu,
    )?;
    let grads = weighted(&layers.forward_t(&x, true)?, &case)?.backward()?;
    assert!(grads.get(&case.net.var("0.weight")).is_none());
    for name in ["1.weight", "1.bias", "3.weight"] {
        close(
            name,
            grads.get(&case.net.var(name)).unwrap(),
            &case.grads[name],
            TOLERANCE,
        );
    }
    Ok(())
}

#[test]
fn changed_parameters_are_seen_by_the_next_forward() -> Result<()> {
    // Whatever a layer packs or folds for speed, it must not outlive the values it came from.
    let specs = [
        conv(16, 16, 3, 1),
        Spec::Norm(16),
        Spec::Act(Relu),
        conv(16, 4, 1, 1),
    ];
    let net = Net::new(&specs, 8);
    let other = Net::new(&specs, 9);
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(8);
    let x = draw_map(&mut rng, [2, 16, 9, 9]);
    let input = tensor(&x.dims, &x.data);
    for train in [false, true] {
        net.layers.forward_t(&input, train)?;
        for (name, (dims, data)) in other.values() {
            net.var(&name).set(&tensor(&dims, &data))?;
        }
        let expected = Reference::new(other.values(), train).forward(&specs, &x);
        close(
            "output",
            &net.layers.forward_t(&input, train)?,
            &expected.data,
            TOLERANCE,
        );
    }
    Ok(())
}

#[test]
fn a_prepacked_network_gives_the_same_and_a_training_step_makes_it_forget() -> Result<()> {
    let (net, other) = (Net::new(&specs(), 11), Net::new(&specs(), 12));
    let mut kept = net.layers.clone();
    kept.prepack();
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(11);
    for (changed, batch) in [(false, 1), (false, 5), (false, 2), (true, 1), (true, 5)] {
        let x = draw_map(&mut rng, [batch, 3, 9, 11]);
        let input = tensor(&x.dims, &x.data);
        if changed {
            kept.forward_t(&input, true)?;
            for (name, (dims, data)) in other.values() {
                net.var(&name).set(&tensor(&dims, &data))?;
            }
        }
        let expected = Reference::new(net.values(), false).forward(&net.specs, &x);
        for _ in 0..2 {
            let y = kept.forward_t(&input, false)?;
            close("output", &y, &expected.data, TOLERANCE);
        }
    }
    Ok(())
}

#[test]
fn batches_of_changing_size_go_through_the_same_layers() -> Result<()> {
    let net = Net::new(&specs(), 10);
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(10);
    for dims in [[4, 3, 8, 8], [1, 3, 2, 2], [3, 3, 9, 5], [4, 3, 8, 8]] {
        let x = draw_map(&mut rng, dims);
        let expected = Reference::new(net.values(), true).forward(&net.specs, &x);
        let x = Var::from_tensor(&tensor(&dims, &x.data))?;
        let y = net.layers.forward_t(&x, true)?;
        close("output", &y, &expected.data, TOLERANCE);
        // Every second graph is dropped without a backward.
        if dims[0] != 1 {
            y.sum_all()?.backward()?;
        }
    }
    Ok(())
}

#[test]
fn a_layer_by_itself_is_a_sequence_of_one() -> Result<()> {
    let specs = [
        conv(3, 6, 3, 1),
        Spec::Norm(6),
        Spec::Act(Relu),
        Spec::Max(window(2, 2, 0)),
    ];
    let net = Net::new(&specs, 11);
    let vb = VarBuilder::from_varmap(&net.vars, candle_core::DType::F32, &Device::Cpu);
    let (conv, norm) = (
        Conv2d::new(3, 6, Default::default(), vb.pp("0"))?,
        BatchNorm2d::new(6, Default::default(), vb.pp("1"))?,
    );
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(11);
    let x = draw_map(&mut rng, [2, 3, 6, 4]);
    let x = tensor(&x.dims, &x.data);
    let fused = net.layers.forward_t(&x, false)?;
    let apart = conv.forward_t(&x, false)?;
    let apart = Relu.forward_t(&norm.forward_t(&apart, false)?, false)?;
    let apart = MaxPool2d::new(2).forward_t(&apart, false)?;
    close("output", &apart, &read(&fused), 1e-5);
    let mut pushed = Sequential::new(vec![]);
    pushed.push(conv);
    pushed.push(norm);
    pushed.push(Layer::from(Relu));
    pushed.push(MaxPool2d::new(2));
    close("output", &pushed.forward_t(&x, false)?, &read(&fused), 0.0);
    Ok(())
}

#[test]
fn inference_moves_no_running_statistic() -> Result<()> {
    let case = Case::new(&specs(), [2, 3, 6, 8], false, 12);
    let before = case.net.values();
    case.net.layers.forward_t(&case.input().detach(), false)?;
    assert_eq!(before, case.net.values());
    Ok(())
}
