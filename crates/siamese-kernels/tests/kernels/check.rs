//! Runs a network both ways and compares everything: output, gradients, running statistics.

use candle_core::{Tensor, Var};
use candle_nn::ModuleT;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::naive::Map;
use crate::net::{Net, Reference, Spec, draw_map, read, tensor};

/// Largest error that a result may have, relative to the largest value of its tensor.
///
/// f32 sums over up to a few thousand products err by some 1e-6; Winograd F(4×4, 3×3), whose
/// transforms have entries up to 8, by up to some 1e-5; BatchNorm's backward amplifies either.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// Closest call that a reference may contain: below, rounding could decide it the other way.
pub(crate) const MARGIN: f64 = 2e-5;

/// Panics unless `ours` is `expected` within `tolerance`.
#[track_caller]
pub(crate) fn close(what: &str, ours: &Tensor, expected: &[f64], tolerance: f64) {
    let ours = read(ours);
    assert_eq!(ours.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(0.05f64, |scale, v| scale.max(v.abs()));
    for (index, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let error = (ours - expected).abs() / scale;
        // Written so that a NaN fails.
        assert!(
            error <= tolerance,
            "{what}: value {index} is {ours}, expected {expected} (error {error:.1e} of the largest)"
        );
    }
}

/// One random case whose close calls are all wider than rounding.
pub(crate) struct Case {
    pub(crate) net: Net,
    pub(crate) x: Map,
    pub(crate) dy: Map,
    pub(crate) y: Map,
    pub(crate) dx: Map,
    pub(crate) grads: std::collections::BTreeMap<String, Vec<f64>>,
    pub(crate) after: crate::net::Values,
}

impl Case {
    /// Draws until the reference has a margin, which depends on nothing but `seed`.
    pub(crate) fn new(specs: &[Spec], dims: [usize; 4], train: bool, seed: u64) -> Self {
        for attempt in 0..200 {
            let seed = seed * 1000 + attempt;
            let net = Net::new(specs, seed);
            let mut rng = ChaCha8Rng::seed_from_u64(!seed);
            let x = draw_map(&mut rng, dims);
            let mut reference = Reference::new(net.values(), train);
            let y = reference.forward(specs, &x);
            if reference.margin >= MARGIN {
                let dy = draw_map(&mut rng, y.dims);
                let (dx, grads) = reference.backward(&dy);
                return Self {
                    net,
                    x,
                    dy,
                    y,
                    dx,
                    grads,
                    after: reference.values,
                };
            }
        }
        panic!("no draw of {specs:?} on {dims:?} is clear of close calls");
    }

    /// Runs the layers on `x` and compares all that comes out.
    #[track_caller]
    pub(crate) fn run(&self, x: &Var, train: bool) {
        self.run_on(x, x.as_tensor(), train);
    }

    /// The same with `input`, which is computed from `x` and equal to it.
    #[track_caller]
    pub(crate) fn run_on(&self, x: &Var, input: &Tensor, train: bool) {
        let y = self.net.layers.forward_t(input, train).unwrap();
        assert_eq!(y.dims(), self.y.dims);
        close("output", &y, &self.y.data, TOLERANCE);
        let dy = tensor(&self.dy.dims, &self.dy.data);
        let grads = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
        let dx = grads.get(x).expect("a gradient to the input");
        assert_eq!(dx.dims(), self.x.dims);
        close("gradient to the input", dx, &self.dx.data, TOLERANCE);
        for (name, expected) in &self.grads {
            let var = self.net.var(name);
            let grad = grads
                .get(&var)
                .unwrap_or_else(|| panic!("no gradient to {name}"));
            assert_eq!(grad.dims(), var.dims(), "{name}");
            close(&format!("gradient to {name}"), grad, expected, TOLERANCE);
        }
        for (name, (_, expected)) in &self.after {
            close(
                &format!("{name} afterwards"),
                &self.net.var(name),
                expected,
                TOLERANCE,
            );
        }
    }

    pub(crate) fn input(&self) -> Var {
        Var::from_tensor(&tensor(&self.x.dims, &self.x.data)).unwrap()
    }
}

/// Compares a random instance of `specs` on images `dims`, in training or evaluation mode.
#[track_caller]
pub(crate) fn check(specs: &[Spec], dims: [usize; 4], train: bool, seed: u64) {
    let case = Case::new(specs, dims, train, seed);
    case.run(&case.input(), train);
}
