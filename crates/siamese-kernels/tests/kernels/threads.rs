//! The number of threads shows in no bit, and layers may be shared between threads.

use candle_core::{Result, Tensor, Var};
use candle_nn::ModuleT;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use siamese_kernels::Activation::{LeakyRelu, Relu};

use crate::check::{Case, TOLERANCE, close};
use crate::net::{Net, Spec, conv, draw_map, read, tensor, window};

fn specs() -> Vec<Spec> {
    let body = vec![
        conv(24, 24, 3, 1),
        Spec::Norm(24),
        Spec::Act(Relu),
        conv(24, 24, 3, 1),
    ];
    vec![
        conv(3, 24, 3, 1),
        Spec::Norm(24),
        Spec::Act(LeakyRelu(0.01)),
        Spec::Max(window(2, 2, 0)),
        Spec::Residual {
            body,
            shortcut: None,
            activation: Some(Relu),
        },
        conv(24, 40, 3, 2),
        Spec::Norm(40),
        conv(40, 10, 1, 1),
        Spec::Avg(window(2, 1, 0)),
    ]
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    read(tensor)
        .into_iter()
        .map(|v| (v as f32).to_bits())
        .collect()
}

/// Every bit that a training step and an evaluation leave.
fn step(threads: usize, batch: usize) -> Vec<(String, Vec<u32>)> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let net = Net::new(&specs(), 1);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let x = draw_map(&mut rng, [batch, 3, 13, 15]);
        let x = Var::from_tensor(&tensor(&x.dims, &x.data)).unwrap();
        let y = net.layers.forward_t(&x, true).unwrap();
        let dy = draw_map(&mut rng, y.dims().try_into().unwrap());
        let dy = tensor(&dy.dims, &dy.data);
        let grads = (&y * dy).unwrap().sum_all().unwrap().backward().unwrap();
        let mut all = vec![
            ("y".into(), bits(&y)),
            ("dx".into(), bits(grads.get(&x).unwrap())),
        ];
        for name in net.values().into_keys() {
            let var = net.var(&name);
            match name.contains("running_") {
                true => all.push((name, bits(&var))),
                false => all.push((
                    format!("gradient to {name}"),
                    bits(grads.get(&var).unwrap()),
                )),
            }
        }
        let evaluated = net.layers.forward_t(&x.detach(), false).unwrap();
        all.push(("inference".into(), bits(&evaluated)));
        all
    })
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for batch in [1, 5, 20] {
        let one = step(1, batch);
        for threads in [2, 3] {
            for (one, other) in one.iter().zip(step(threads, batch)) {
                assert!(
                    *one == other,
                    "{} differs on {threads} threads, batch {batch}",
                    one.0
                );
            }
        }
    }
}

#[test]
fn a_second_run_gives_the_same_bits() {
    assert!(step(2, 6) == step(2, 6));
}

#[test]
fn two_threads_may_use_the_same_layers_at_once() {
    let case = Case::new(&specs()[..4], [4, 3, 9, 7], true, 2);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            for _ in 0..5 {
                let x = case.input();
                let y = case.net.layers.forward_t(&x, true)?;
                let dy = tensor(&case.dy.dims, &case.dy.data);
                let grads = (&y * dy)?.sum_all()?.backward()?;
                close("output", &y, &case.y.data, TOLERANCE);
                close("gradient", grads.get(&x).unwrap(), &case.dx.data, TOLERANCE);
            }
            Ok(())
        };
        let both = [scope.spawn(work), scope.spawn(work)];
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
}
