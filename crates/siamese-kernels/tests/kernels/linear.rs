//! Fully connected layers and constant factors against Candle's operations in f64.

use candle_core::{DType, Device, Result, Tensor, Var};
use siamese_kernels::{backward, linear, times_constants};

fn wave(shape: &[usize], phase: f32) -> Result<Tensor> {
    let count = shape.iter().product::<usize>();
    let wave = (0..count).map(|i| (i as f32 * 0.37 + phase).sin());
    Tensor::from_iter(wave, &Device::Cpu)?.reshape(shape)
}

fn both(shape: &[usize], phase: f32) -> Result<[Var; 2]> {
    let x = wave(shape, phase)?;
    Ok([
        Var::from_tensor(&x)?,
        Var::from_tensor(&x.to_dtype(DType::F64)?)?,
    ])
}

/// The largest difference, as a share of the largest value or of 1.
fn apart(a: &Tensor, exact: &Tensor) -> Result<f64> {
    let largest = |x: Tensor| x.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>();
    let apart = largest((a.to_dtype(DType::F64)? - exact)?)?;
    Ok(apart / largest(exact.clone())?.max(1.0))
}

#[test]
fn a_linear_layer_and_its_gradients_are_those_of_the_products_in_f64() -> Result<()> {
    for (batch, depth, width) in [(1, 1, 1), (3, 7, 2), (70, 33, 49), (5, 200, 130)] {
        let [x, exact_x] = both(&[batch, depth], 0.1)?;
        let [weight, exact_weight] = both(&[width, depth], 1.0)?;
        let [bias, exact_bias] = both(&[width], 2.0)?;
        let weights = wave(&[batch, width], 3.0)?;
        for biased in [true, false] {
            let mut naive = exact_x.matmul(&exact_weight.t()?)?;
            if biased {
                naive = naive.broadcast_add(&exact_bias)?;
            }
            let fast = linear(&x, &weight, biased.then_some(bias.as_tensor()))?;
            assert!(apart(&fast, &naive)? < 2e-6);
            let fast = (fast * &weights)?.sum_all()?;
            let naive = (naive * weights.to_dtype(DType::F64)?)?.sum_all()?;
            let naive = naive.backward()?;
            for fast in [fast.backward()?, backward(&fast)?] {
                let of = |fast_of: &Var, naive_of: &Var| {
                    apart(fast.get(fast_of).unwrap(), naive.get(naive_of).unwrap())
                };
                assert!(of(&x, &exact_x)? < 2e-6 && of(&weight, &exact_weight)? < 2e-6);
                assert_eq!(fast.get(&bias).is_some(), biased);
                assert!(!biased || of(&bias, &exact_bias)? < 2e-6);
            }
        }
    }
    Ok(())
}

#[test]
fn a_weight_that_is_used_twice_or_made_of_another_gets_the_whole_gradient() -> Result<()> {
    let half = Var::from_tensor(&wave(&[4, 4], 0.3)?)?;
    let x = wave(&[3, 4], 1.0)?;
    let by = |layer: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>| {
        let double = (half.as_tensor() * 2.0)?;
        let y = layer(&layer(&layer(&x, &half)?, &half)?, &double)?;
        y.sqr()?.sum_all()
    };
    let ours = backward(&by(&|x, weight| linear(x, weight, None))?)?;
    let candles = by(&|x, weight| x.matmul(&weight.t()?))?.backward()?;
    let [ours, candles] = [ours, candles].map(|store| store.get(&half).cloned());
    let (ours, candles) = (ours.unwrap(), candles.unwrap());
    assert!(apart(&ours, &candles.to_dtype(DType::F64)?)? < 2e-6);
    Ok(())
}

#[test]
fn constants_scale_values_and_their_gradients_of_any_strides() -> Result<()> {
    let x = Var::from_tensor(&wave(&[40, 900], 0.2)?)?;
    let constants = wave(&[900, 40], 1.0)?;
    let ours = times_constants(&x.t()?, constants.flatten_all()?.to_vec1()?)?;
    let candles = (x.t()? * &constants)?;
    assert_eq!(ours.to_vec2::<f32>()?, candles.to_vec2::<f32>()?);
    let gradient = |y: Tensor| -> Result<Vec<Vec<f32>>> {
        let gradients = y.sqr()?.sum_all()?.backward()?;
        gradients.get(&x).unwrap().to_vec2()
    };
    assert_eq!(gradient(ours)?, gradient(candles)?);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let (x, weight) = (wave(&[3, 4], 0.0)?, wave(&[2, 5], 0.0)?);
    let refused = linear(&x, &weight, None).unwrap_err().to_string();
    assert!(refused.contains("5 values to 2 was given 4"), "{refused}");
    let refused = times_constants(&x, vec![1.0; 11]).unwrap_err().to_string();
    assert!(refused.contains("11 constants"), "{refused}");
    // no image is no product, as by Candle
    let none = linear(&x.narrow(0, 0, 0)?, &weight.narrow(1, 0, 4)?, None)?;
    assert_eq!(none.dims(), [0, 2]);
    Ok(())
}
