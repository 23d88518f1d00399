//! Unit rows and the cost of classes against their formulas in f64, by Candle's operations.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use siamese_kernels::{ClassCost, backward, unit_rows};

const EPSILON: f64 = 1e-6;

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

fn largest(x: &Tensor) -> Result<f64> {
    let x = x.to_dtype(DType::F64)?.abs()?.flatten_all()?;
    x.max(0)?.to_scalar()
}

/// Unit rows in f64.
fn unit(x: &Tensor) -> Result<Tensor> {
    let length = (x.sqr()?.sum_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
    x.broadcast_div(&length)
}

/// Rows of waves and one of zeros, and the same in f64.
fn variables(rows: usize, width: usize, phase: f32) -> Result<[Var; 2]> {
    let zero = Tensor::zeros((1, width), DType::F32, &Device::Cpu)?;
    let x = Tensor::cat(&[&wave(rows, width, phase)?, &zero], 0)?;
    let exact = Var::from_tensor(&x.to_dtype(DType::F64)?)?;
    Ok([Var::from_tensor(&x)?, exact])
}

#[test]
fn rows_of_unit_length_and_their_gradient_are_those_of_the_formula() -> Result<()> {
    for (rows, width) in [(1, 1), (3, 5), (70, 130), (5, 16)] {
        let [x, exact] = variables(rows, width, 0.1)?;
        let weights = wave(rows + 1, width, 2.0)?;
        let (fast, naive) = (unit_rows(&x, EPSILON)?, unit(&exact)?);
        assert!(apart(&fast, &naive)? < 1e-6);
        let fast = (fast * &weights)?.sum_all()?.backward()?;
        let naive = (naive * weights.to_dtype(DType::F64)?)?.sum_all()?;
        let naive = naive.backward()?;
        let [fast, naive] = [fast.get(&x), naive.get(&exact)].map(|g| g.unwrap().clone());
        assert!(apart(&fast, &naive)? < 3e-6 * largest(&naive)?.max(1.0));
    }
    Ok(())
}

#[test]
fn costs_of_classes_and_their_gradients_are_those_of_the_formula() -> Result<()> {
    for (rows, classes, dim) in [
        (1, 1, 1),
        (4, 2, 3),
        (9, 33, 20),
        (50, 3000, 17),
        (100, 16, 48),
    ] {
        for (scale, margin, smoothing) in [(20f64, 0.0, 0.0), (64.0, 0.35, 0.1), (3.0, -0.1, 0.5)] {
            let cost = ClassCost {
                scale: scale as f32,
                margin: margin as f32,
                smoothing: smoothing as f32,
                epsilon: EPSILON as f32,
            };
            let [x, exact_x] = variables(rows, dim, 0.1)?;
            let [own, exact_own] = variables(classes, dim, 1.0)?;
            let labels: Vec<u32> = (0..=rows).map(|i| (i * 7 % (classes + 1)) as u32).collect();
            let cosines = unit(&exact_x)?.matmul(&unit(&exact_own)?.t()?)?;
            let naive = formula(&cosines, &labels, (scale, margin, smoothing))?;
            let (fast, missed) = cost.of(&x, &own, &labels)?;
            let what = format!("{rows} {classes} {dim} {scale}");
            assert!(
                apart(&fast, &naive)? <= 2e-6 * largest(&naive)?.max(1.0),
                "{what}"
            );
            let [missed, exact] = [missed.to_vec1::<f32>()?, missed_of(&cosines, &labels)?];
            let differ = missed.iter().zip(&exact).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{what}");
            let weights = wave(1, rows + 1, 1.0)?.squeeze(0)?;
            let naive = (naive * weights.to_dtype(DType::F64)?)?.sum_all()?;
            let naive = naive.backward()?;
            let fast = (fast * &weights)?.sum_all()?;
            // through Candle's sums of gradients, and as the variable's own
            for fast in [fast.backward()?, backward(&fast)?] {
                for (fast, naive) in [
                    (fast.get(&x), naive.get(&exact_x)),
                    (fast.get(&own), naive.get(&exact_own)),
                ] {
                    let (fast, naive) = (fast.unwrap(), naive.unwrap());
                    let far = apart(fast, naive)?;
                    assert!(far < 4e-6 * largest(naive)?.max(scale), "{what}: {far}");
                }
            }
        }
    }
    Ok(())
}

/// Each image's cost by its cosines `(B, C)`.
fn formula(
    cosines: &Tensor,
    labels: &[u32],
    (scale, margin, smoothing): (f64, f64, f64),
) -> Result<Tensor> {
    let (rows, classes) = cosines.dims2()?;
    let mut truth = vec![0f64; rows * classes];
    for (i, &label) in labels.iter().enumerate() {
        truth[i * classes + label as usize] = 1.0;
    }
    let truth = Tensor::from_vec(truth, (rows, classes), &Device::Cpu)?;
    let logits = ((cosines - (&truth * margin)?)? * scale)?;
    let target = truth.affine(1.0 - smoothing, smoothing / classes as f64)?;
    let likely = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
    (likely * target)?.sum(D::Minus1)?.neg()
}

/// 1 where another class is as similar as the image's own, but for what rounding makes of f64.
fn missed_of(cosines: &Tensor, labels: &[u32]) -> Result<Vec<f32>> {
    let rows = cosines.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let missed = rows.iter().zip(labels).map(|(row, &label)| {
        let own = row[label as usize];
        let others = row.iter().enumerate().filter(|(c, _)| *c != label as usize);
        f32::from(u8::from(others.into_iter().any(|(_, &x)| x >= own)))
    });
    Ok(missed.collect())
}

#[test]
fn the_number_of_threads_changes_no_bit_of_a_cost() -> Result<()> {
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| -> Result<Vec<u32>> {
            let x = Var::from_tensor(&wave(100, 40, 0.1)?)?;
            let own = Var::from_tensor(&wave(333, 40, 1.0)?)?;
            let labels: Vec<u32> = (0..100).collect();
            let cost = ClassCost {
                scale: 24.0,
                margin: 0.1,
                smoothing: 0.1,
                epsilon: 1e-12,
            };
            let costs = cost.of(&x, &own, &labels)?.0;
            let gradients = backward(&costs.sum_all()?)?;
            let all = [
                &costs,
                gradients.get(&x).unwrap(),
                gradients.get(&own).unwrap(),
            ];
            let all = all.map(|t| t.flatten_all());
            let all = all.into_iter().collect::<Result<Vec<_>>>()?;
            let numbers = Tensor::cat(&all, 0)?.to_vec1::<f32>()?;
            Ok(numbers.into_iter().map(f32::to_bits).collect())
        })
    };
    assert_eq!(bits(1)?, bits(3)?);
    Ok(())
}

#[test]
fn what_is_no_number_stays_none_and_what_does_not_fit_is_refused() -> Result<()> {
    let cost = ClassCost {
        scale: 8.0,
        margin: 0.0,
        smoothing: 0.1,
        epsilon: 1e-12,
    };
    let own = Tensor::new(&[[0.5f32, 1.0], [1.0, 0.0]], &Device::Cpu)?;
    for bad in [f32::NAN, f32::INFINITY] {
        for (embeddings, classes) in [
            (Tensor::new(&[[0.5f32, bad]], &Device::Cpu)?, own.clone()),
            (
                Tensor::new(&[[0.5f32, 1.0]], &Device::Cpu)?,
                Tensor::new(&[[0.5f32, 1.0], [1.0, bad]], &Device::Cpu)?,
            ),
        ] {
            let costs = cost.of(&embeddings, &classes, &[0])?.0;
            assert!(costs.to_vec1::<f32>()?[0].is_nan());
        }
    }
    let x = Tensor::new(&[[0.5f32, 1.0]], &Device::Cpu)?;
    let refused =
        |x: &Tensor, own: &Tensor, labels: &[u32]| cost.of(x, own, labels).unwrap_err().to_string();
    assert!(refused(&x, &own, &[2]).contains("label 2 is of none of the 2 classes"));
    assert!(refused(&x, &own, &[0, 0]).contains("do not fit"));
    assert!(refused(&x, &own.narrow(1, 0, 1)?, &[0]).contains("do not fit"));
    assert!(refused(&x.narrow(0, 0, 0)?, &own, &[]).contains("do not fit"));
    assert!(refused(&x.to_dtype(DType::F64)?, &own, &[0]).contains("f32"));
    Ok(())
}
