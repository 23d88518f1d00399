//! Whole chains, which the crate fuses: the fused result is still the naive one.

use siamese_kernels::Activation::{self, LeakyRelu, Relu};

use crate::check::check;
use crate::net::{Spec, conv, window};

fn block(inputs: usize, outputs: usize, activation: Activation) -> Vec<Spec> {
    vec![
        conv(inputs, outputs, 3, 1),
        Spec::Norm(outputs),
        Spec::Act(activation),
    ]
}

/// ResNet's basic block; with a stride or other width its shortcut is a 1×1 convolution.
fn basic(inputs: usize, outputs: usize, stride: usize) -> Spec {
    let body = vec![
        conv(inputs, outputs, 3, stride),
        Spec::Norm(outputs),
        Spec::Act(Relu),
        conv(outputs, outputs, 3, 1),
        Spec::Norm(outputs),
    ];
    let shortcut = (stride != 1 || inputs != outputs)
        .then(|| vec![conv(inputs, outputs, 1, stride), Spec::Norm(outputs)]);
    Spec::Residual {
        body,
        shortcut,
        activation: Some(Relu),
    }
}

fn both_modes(specs: &[Spec], dims: [usize; 4], seed: u64) {
    check(specs, dims, true, seed);
    check(specs, dims, false, seed);
}

#[test]
fn convolution_norm_activation_pool_in_every_combination() {
    let norms = [vec![], vec![Spec::Norm(7)]];
    let activations = [
        vec![],
        vec![Spec::Act(Relu)],
        vec![Spec::Act(LeakyRelu(0.1))],
    ];
    let pools = [
        vec![],
        vec![Spec::Max(window(2, 2, 0))],
        vec![Spec::Max(window(3, 2, 1))],
        vec![Spec::Avg(window(2, 2, 0))],
        vec![Spec::Global],
    ];
    for norm in &norms {
        for activation in &activations {
            for pool in &pools {
                let first = Spec::Conv {
                    inputs: 3,
                    outputs: 7,
                    window: window(3, 1, 1),
                    bias: norm.is_empty(),
                };
                let specs = [&[first][..], norm, activation, pool].concat();
                both_modes(&specs, [3, 3, 7, 6], 1);
                both_modes(&[&specs[..], &[conv(7, 4, 1, 1)]].concat(), [1, 3, 5, 8], 1);
            }
        }
    }
}

#[test]
fn layers_in_unusual_order() {
    let orders = [
        vec![
            Spec::Act(Relu),
            conv(5, 6, 3, 1),
            Spec::Act(LeakyRelu(0.2)),
            Spec::Norm(6),
        ],
        vec![
            Spec::Norm(5),
            Spec::Act(Relu),
            Spec::Norm(5),
            Spec::Act(LeakyRelu(0.3)),
        ],
        vec![
            Spec::Max(window(2, 1, 0)),
            Spec::Norm(5),
            Spec::Max(window(2, 2, 1)),
            Spec::Act(LeakyRelu(0.5)),
        ],
        vec![
            conv(5, 5, 3, 1),
            conv(5, 5, 3, 1),
            Spec::Avg(window(2, 1, 1)),
            Spec::Norm(5),
        ],
        vec![Spec::Global, conv(5, 9, 1, 1), Spec::Act(Relu)],
    ];
    for specs in orders {
        both_modes(&specs, [3, 5, 6, 5], 2);
    }
}

#[test]
fn a_bias_before_a_norm_is_still_a_bias() {
    let first = Spec::Conv {
        inputs: 3,
        outputs: 8,
        window: window(3, 1, 1),
        bias: true,
    };
    both_modes(&[first, Spec::Norm(8), Spec::Act(Relu)], [3, 3, 5, 4], 3);
}

#[test]
fn residual_blocks_of_every_kind() {
    both_modes(&[basic(6, 6, 1)], [3, 6, 5, 7], 4);
    both_modes(&[basic(5, 8, 2)], [3, 5, 5, 7], 4);
    both_modes(
        &[basic(4, 4, 1), basic(4, 9, 2), basic(9, 9, 1), Spec::Global],
        [2, 4, 7, 6],
        4,
    );
    let bare = |body, activation| Spec::Residual {
        body,
        shortcut: None,
        activation,
    };
    both_modes(&[bare(vec![], None), conv(3, 4, 3, 1)], [2, 3, 3, 4], 4);
    both_modes(
        &[bare(vec![conv(3, 3, 3, 1)], Some(LeakyRelu(0.1)))],
        [2, 3, 3, 4],
        4,
    );
    let nested = bare(
        vec![bare(block(3, 3, Relu), None), Spec::Norm(3)],
        Some(Relu),
    );
    both_modes(&[nested], [2, 3, 4, 5], 4);
    let empty_shortcut = Spec::Residual {
        body: block(3, 3, Relu),
        shortcut: Some(vec![]),
        activation: None,
    };
    both_modes(
        &[empty_shortcut, Spec::Max(window(2, 2, 0))],
        [2, 3, 4, 6],
        4,
    );
}

#[test]
fn conv4_at_small_width() {
    let mut specs = Vec::new();
    let mut inputs = 3;
    for _ in 0..4 {
        specs.extend(block(inputs, 8, Relu));
        specs.push(Spec::Max(window(2, 2, 0)));
        inputs = 8;
    }
    both_modes(&specs, [3, 3, 20, 16], 5);
}

#[test]
fn the_cifar_tower_at_small_width() {
    // (3×3 convolution, norm, LeakyReLU 0.01) × 2 and a 2×2 max-pool, widths doubling.
    let mut specs = Vec::new();
    let mut inputs = 3;
    for outputs in [4, 8, 16] {
        specs.extend(block(inputs, outputs, LeakyRelu(0.01)));
        specs.extend(block(outputs, outputs, LeakyRelu(0.01)));
        specs.push(Spec::Max(window(2, 2, 0)));
        inputs = outputs;
    }
    both_modes(&specs, [2, 3, 16, 12], 6);
}

#[test]
fn resnet_at_small_width() {
    let stem = vec![
        conv(3, 6, 7, 2),
        Spec::Norm(6),
        Spec::Act(Relu),
        Spec::Max(window(3, 2, 1)),
    ];
    let specs = [stem, vec![basic(6, 6, 1), basic(6, 8, 2), Spec::Global]].concat();
    both_modes(&specs, [3, 3, 21, 18], 7);
}

#[test]
fn widths_at_which_the_fast_kernels_serve() {
    // 16 to 64 channels on images wide enough for whole Winograd tiles.
    let specs = [
        block(16, 32, Relu),
        block(32, 64, LeakyRelu(0.01)),
        vec![Spec::Max(window(2, 2, 0))],
    ]
    .concat();
    both_modes(&specs, [2, 16, 13, 11], 8);
    check(
        &[conv(64, 64, 3, 1), Spec::Norm(64), Spec::Act(Relu)],
        [2, 64, 16, 16],
        true,
        8,
    );
}
