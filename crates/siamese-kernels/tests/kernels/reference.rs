//! The naive loops themselves: their gradients are those of finite differences.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use siamese_kernels::Activation::{LeakyRelu, Relu};

use crate::net::{Net, Reference, Spec, conv, draw_map, window};

#[test]
fn the_naive_gradients_are_finite_differences() {
    let body = vec![conv(4, 6, 3, 2), Spec::Norm(6), Spec::Act(Relu)];
    let shortcut = Some(vec![conv(4, 6, 1, 2)]);
    let first = Spec::Conv {
        inputs: 2,
        outputs: 4,
        window: window(3, 1, 1),
        bias: true,
    };
    let specs = [
        first,
        Spec::Act(LeakyRelu(0.2)),
        Spec::Max(window(3, 1, 1)),
        Spec::Residual {
            body,
            shortcut,
            activation: None,
        },
        Spec::Norm(6),
        Spec::Avg(window(2, 1, 1)),
        conv(6, 3, 3, 1),
        Spec::Global,
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let x = draw_map(&mut rng, [2, 2, 5, 4]);
    for train in [true, false] {
        let values = Net::new(&specs, 11).values();
        let mut reference = Reference::new(values.clone(), train);
        let y = reference.forward(&specs, &x);
        assert!(
            reference.margin > 1e-4,
            "a difference across a kink: choose another seed"
        );
        let dy = draw_map(&mut rng, y.dims);
        let (dx, grads) = reference.backward(&dy);
        let loss = |values: &crate::net::Values, x: &crate::naive::Map| {
            let y = Reference::new(values.clone(), train).forward(&specs, x);
            y.zip(&dy, |a, b| a * b).data.iter().sum::<f64>()
        };
        let step = 1e-6;
        let agree = |what: &str, analytic: f64, up: f64, down: f64| {
            let numeric = (up - down) / (2.0 * step);
            assert!(
                (analytic - numeric).abs() < 1e-6,
                "{what}: {analytic}, numerically {numeric}"
            );
        };
        for index in 0..x.data.len() {
            let moved = |by: f64| {
                let mut x = x.clone();
                x.data[index] += by;
                loss(&values, &x)
            };
            agree("input", dx.data[index], moved(step), moved(-step));
        }
        for (name, grad) in grads {
            for (index, &analytic) in grad.iter().enumerate() {
                let moved = |by: f64| {
                    let mut values = values.clone();
                    values.get_mut(&name).unwrap().1[index] += by;
                    loss(&values, &x)
                };
                agree(&name, analytic, moved(step), moved(-step));
            }
        }
    }
}
