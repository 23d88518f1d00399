//! What the profile counts: every unit of a training, and nothing before it is asked for.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, which clippy cannot know

use candle_core::{DType, Device, Tensor};
use candle_nn::{ModuleT, VarBuilder, VarMap};
use siamese_kernels::optim::{Optimizer, Param, Sgd, SgdConfig};
use siamese_kernels::{
    Activation, BatchNorm2d, Conv2d, GlobalAvgPool, MaxPool2d, Sequential, profile,
};

#[test]
fn every_unit_of_a_training_is_counted_from_the_start_on() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let chain = Sequential::new(vec![
        Conv2d::new(3, 8, Default::default(), vb.pp("0"))
            .unwrap()
            .into(),
        BatchNorm2d::new(8, Default::default(), vb.pp("1"))
            .unwrap()
            .into(),
        Activation::Relu.into(),
        MaxPool2d::new(2).into(),
        Conv2d::new(8, 4, Default::default(), vb.pp("2"))
            .unwrap()
            .into(),
        GlobalAvgPool.into(),
    ]);
    let params = vars.all_vars().into_iter().enumerate();
    let params = params
        .map(|(i, var)| Param::new(format!("{i}"), var))
        .collect();
    let mut optimizer = Optimizer::from(Sgd::new(params, SgdConfig::default()).unwrap());
    let images = Tensor::zeros((5, 3, 8, 12), DType::F32, &Device::Cpu).unwrap();
    let mut step = || {
        let loss = chain.forward_t(&images, true).unwrap().sqr().unwrap();
        let grads = loss.sum_all().unwrap().backward().unwrap();
        optimizer.step(&grads, 0.1, 1.0).unwrap();
    };
    step();
    assert_eq!(profile::read(), Default::default());

    profile::start();
    step();
    step();
    chain.forward_t(&images, false).unwrap();
    let evaluated = profile::read().inference;
    profile::apart(|| chain.forward_t(&images, true)).unwrap();
    let found = profile::read();
    let units: Vec<&str> = found.units.iter().map(|time| time.unit.as_str()).collect();
    assert_eq!(units.len(), 3, "{units:?}");
    assert!(units[0].starts_with("conv 3×3, 3→8 at 8×12, norm, activation, max-pool"));
    assert!(units[1].starts_with("conv 3×3, 8→4 at 4×6"));
    assert_eq!(units[2], "average, 4 at 4×6");
    for time in &found.units {
        assert_eq!(time.images, 10, "{time:?}");
        assert!(
            !time.forward.is_zero() && !time.backward.is_zero(),
            "{time:?}"
        );
    }
    assert_eq!(found.units[1].multiply_adds, 4 * 6 * 4 * 8 * 9);
    assert!(!evaluated.is_zero() && !found.optimizer.is_zero());
    assert!(found.inference > evaluated, "what ran apart is no training");
}
