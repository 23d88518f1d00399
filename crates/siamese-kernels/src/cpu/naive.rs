//! The same plans in plain loops and f64, for the tests: what every fast path is held against.

#![allow(clippy::needless_range_loop)]

use crate::plan::{ConvStep, Plan, PoolKind, PoolStep, Unit};

/// Parameter values and how norms behave.
pub(crate) struct Given<'a> {
    pub(crate) params: &'a [Vec<f64>],
    pub(crate) running: &'a [(Vec<f64>, Vec<f64>)],
    pub(crate) train: bool,
}

/// What a forward and a backward gave.
pub(crate) struct Outcome {
    pub(crate) y: Vec<f64>,
    pub(crate) params: Vec<Vec<f64>>,
    pub(crate) input: Vec<f64>,
}

struct Trace {
    raw: Vec<f64>,
    /// Before the activation.
    z: Vec<f64>,
    mean: Vec<f64>,
    istd: Vec<f64>,
}

/// Forward with input `x`, backward with output gradient `dy`, both channels-last.
pub(crate) fn run(plan: &Plan, given: &Given<'_>, x: &[f64], dy: &[f64]) -> Outcome {
    let mut values = vec![x.to_vec()];
    let mut traces = Vec::new();
    for unit in &plan.units {
        let (trace, y) = forward(plan, unit, given, &values);
        traces.push(trace);
        values.push(y);
    }
    let mut grads: Vec<Vec<f64>> = values.iter().map(|v| vec![0.; v.len()]).collect();
    let mut params: Vec<Vec<f64>> = given.params.iter().map(|p| vec![0.; p.len()]).collect();
    grads[plan.units.len()] = dy.to_vec();
    for (unit, trace) in plan.units.iter().zip(&traces).rev() {
        backward(plan, unit, given, trace, &values, &mut grads, &mut params);
    }
    Outcome {
        y: values.swap_remove(plan.units.len()),
        params,
        input: grads.swap_remove(0),
    }
}

fn forward(plan: &Plan, unit: &Unit, given: &Given<'_>, values: &[Vec<f64>]) -> (Trace, Vec<f64>) {
    let c = unit.middle.c;
    let source = &values[unit.source];
    let raw = match &unit.conv {
        Some(conv) => {
            let mut y = vec![0.; plan.batch * conv.output.len()];
            if let Some(b) = conv.bias {
                y.iter_mut()
                    .enumerate()
                    .for_each(|(k, y)| *y = given.params[b][k % c]);
            }
            let w = &given.params[conv.weight];
            conv_taps(conv, plan.batch, |o, i, k| y[o] += w[k] * source[i]);
            y
        }
        None => source.clone(),
    };
    let (mut mean, mut istd, mut z) = (vec![0.; c], vec![1.; c], raw.clone());
    if let Some(norm) = &unit.norm {
        for k in 0..c {
            let all = || raw.iter().skip(k).step_by(c);
            let n = all().count() as f64;
            let (m, v) = if given.train {
                let m = all().sum::<f64>() / n;
                (m, all().map(|x| (x - m).powi(2)).sum::<f64>() / n)
            } else {
                (
                    given.running[norm.stats].0[k],
                    given.running[norm.stats].1[k],
                )
            };
            (mean[k], istd[k]) = (m, 1. / (v + norm.eps).sqrt());
        }
        let (gamma, beta) = (&given.params[norm.weight], &given.params[norm.bias]);
        for (i, z) in z.iter_mut().enumerate() {
            let k = i % c;
            *z = (*z - mean[k]) * istd[k] * gamma[k] + beta[k];
        }
    }
    if let Some(r) = unit.residual {
        z.iter_mut().zip(&values[r]).for_each(|(z, r)| *z += r);
    }
    let mut y = z.clone();
    if let Some(a) = unit.activation {
        y.iter_mut()
            .filter(|y| **y <= 0.)
            .for_each(|y| *y *= a.slope() as f64);
    }
    if let Some(p) = &unit.pool {
        y = pool_forward(p, plan.batch, &y);
    }
    let trace = Trace { raw, z, mean, istd };
    (trace, y)
}

fn backward(
    plan: &Plan,
    unit: &Unit,
    given: &Given<'_>,
    trace: &Trace,
    values: &[Vec<f64>],
    grads: &mut [Vec<f64>],
    params: &mut [Vec<f64>],
) {
    let c = unit.middle.c;
    let slope = unit.activation.map_or(1., |a| a.slope() as f64);
    let act = |z: f64| if z > 0. { z } else { z * slope };
    let mut g = grads[unit.target].clone();
    if let Some(p) = &unit.pool {
        let input: Vec<f64> = trace.z.iter().map(|&z| act(z)).collect();
        g = pool_backward(p, plan.batch, &input, &g);
    }
    g.iter_mut()
        .zip(&trace.z)
        .filter(|(_, z)| **z <= 0.)
        .for_each(|(g, _)| *g *= slope);
    if let Some(r) = unit.residual {
        grads[r].iter_mut().zip(&g).for_each(|(d, g)| *d += g);
    }
    if let Some(norm) = &unit.norm {
        let n = (g.len() / c) as f64;
        for k in 0..c {
            let xhat = |i: usize| (trace.raw[i] - trace.mean[k]) * trace.istd[k];
            let all: Vec<usize> = (k..g.len()).step_by(c).collect();
            let sum: f64 = all.iter().map(|&i| g[i]).sum();
            let product: f64 = all.iter().map(|&i| g[i] * xhat(i)).sum();
            params[norm.bias][k] += sum;
            params[norm.weight][k] += product;
            let (a, b) = if given.train {
                (sum / n, product / n)
            } else {
                (0., 0.)
            };
            for &i in &all {
                g[i] = given.params[norm.weight][k] * trace.istd[k] * (g[i] - a - xhat(i) * b);
            }
        }
    }
    let into = &mut grads[unit.source];
    let Some(conv) = &unit.conv else {
        into.iter_mut().zip(&g).for_each(|(d, g)| *d += g);
        return;
    };
    if let Some(b) = conv.bias {
        g.iter()
            .enumerate()
            .for_each(|(i, g)| params[b][i % c] += g);
    }
    let (w, x) = (&given.params[conv.weight], &values[unit.source]);
    conv_taps(conv, plan.batch, |o, i, k| {
        params[conv.weight][k] += g[o] * x[i];
        into[i] += g[o] * w[k];
    });
}

/// Calls `f` with the places of output, input and weight of every multiplication.
fn conv_taps(c: &ConvStep, batch: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (d, o, k) = (c.input, c.output, c.kernel);
    for b in 0..batch {
        for (oy, ox) in (0..o.h).flat_map(|y| (0..o.w).map(move |x| (y, x))) {
            for (ky, kx) in (0..k).flat_map(|y| (0..k).map(move |x| (y, x))) {
                let (y, x) = (oy * c.stride + ky, ox * c.stride + kx);
                if y < c.padding || x < c.padding || y >= d.h + c.padding || x >= d.w + c.padding {
                    continue;
                }
                let from = ((b * d.h + y - c.padding) * d.w + x - c.padding) * d.c;
                let to = ((b * o.h + oy) * o.w + ox) * o.c;
                for oc in 0..o.c {
                    for ic in 0..d.c {
                        f(to + oc, from + ic, ((oc * d.c + ic) * k + ky) * k + kx);
                    }
                }
            }
        }
    }
}

/// The input places of the window of output place `at`, in scan order.
fn window(p: &PoolStep, at: usize) -> Vec<usize> {
    let (o, d) = (p.output, p.input);
    let (k, rest) = (at % o.c, at / o.c);
    let (ox, oy, b) = (rest % o.w, rest / o.w % o.h, rest / (o.w * o.h));
    let mut places = Vec::new();
    for (ky, kx) in (0..p.kernel.0).flat_map(|y| (0..p.kernel.1).map(move |x| (y, x))) {
        let (y, x) = (oy * p.stride + ky, ox * p.stride + kx);
        if y >= p.padding && x >= p.padding && y < d.h + p.padding && x < d.w + p.padding {
            places.push(((b * d.h + y - p.padding) * d.w + x - p.padding) * d.c + k);
        }
    }
    places
}

fn winner(x: &[f64], places: &[usize]) -> usize {
    let mut best = places[0];
    for &i in places {
        if x[i] > x[best] {
            best = i;
        }
    }
    best
}

fn pool_forward(p: &PoolStep, batch: usize, x: &[f64]) -> Vec<f64> {
    let share = 1. / (p.kernel.0 * p.kernel.1) as f64;
    let one = |at| {
        let places = window(p, at);
        match p.kind {
            PoolKind::Max => x[winner(x, &places)],
            PoolKind::Average => places.iter().map(|&i| x[i]).sum::<f64>() * share,
        }
    };
    (0..batch * p.output.len()).map(one).collect()
}

fn pool_backward(p: &PoolStep, batch: usize, x: &[f64], g: &[f64]) -> Vec<f64> {
    let share = 1. / (p.kernel.0 * p.kernel.1) as f64;
    let mut dx = vec![0.; batch * p.input.len()];
    for (at, g) in g.iter().enumerate() {
        let places = window(p, at);
        match p.kind {
            PoolKind::Max => dx[winner(x, &places)] += g,
            PoolKind::Average => places.iter().for_each(|&i| dx[i] += g * share),
        }
    }
    dx
}
