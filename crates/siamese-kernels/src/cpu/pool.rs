//! Max- and average-pool.

use rayon::prelude::*;

use crate::plan::PoolStep;

/// For each pixel of each window inside the image: (output pixel, input pixel, place in the window).
fn taps(p: &PoolStep, mut f: impl FnMut(usize, usize, usize)) {
    for oy in 0..p.output.h {
        for ox in 0..p.output.w {
            for ky in 0..p.kernel.0 {
                let iy = (oy * p.stride + ky).wrapping_sub(p.padding);
                for kx in 0..p.kernel.1 {
                    let ix = (ox * p.stride + kx).wrapping_sub(p.padding);
                    if iy < p.input.h && ix < p.input.w {
                        f(
                            oy * p.output.w + ox,
                            iy * p.input.w + ix,
                            ky * p.kernel.1 + kx,
                        );
                    }
                }
            }
        }
    }
}

pub(super) fn max_forward(p: &PoolStep, x: &[f32], y: &mut [f32], argmax: &mut [u8]) {
    let c = p.input.c;
    let outputs = y
        .par_chunks_exact_mut(p.output.len())
        .zip(argmax.par_chunks_exact_mut(p.output.len()));
    outputs
        .zip(x.par_chunks_exact(p.input.len()))
        .for_each(|((y, at), x)| {
            y.fill(f32::NEG_INFINITY);
            taps(p, |o, i, k| {
                for ch in 0..c {
                    let v = x[i * c + ch];
                    if v > y[o * c + ch] || v.is_nan() {
                        y[o * c + ch] = v;
                        at[o * c + ch] = k as u8;
                    }
                }
            });
        });
}

pub(super) fn max_backward(p: &PoolStep, g: &[f32], argmax: &[u8], n: usize) -> Vec<f32> {
    let c = p.input.c;
    let mut dx = vec![0.; n * p.input.len()];
    let grads = g
        .par_chunks_exact(p.output.len())
        .zip(argmax.par_chunks_exact(p.output.len()));
    dx.par_chunks_exact_mut(p.input.len())
        .zip(grads)
        .for_each(|(dx, (g, at))| {
            taps(p, |o, i, k| {
                for ch in 0..c {
                    if at[o * c + ch] as usize == k {
                        dx[i * c + ch] += g[o * c + ch];
                    }
                }
            });
        });
    dx
}

pub(super) fn average_forward(p: &PoolStep, x: &[f32], y: &mut [f32]) {
    let c = p.input.c;
    let share = 1. / (p.kernel.0 * p.kernel.1) as f32;
    y.par_chunks_exact_mut(p.output.len())
        .zip(x.par_chunks_exact(p.input.len()))
        .for_each(|(y, x)| {
            y.fill(0.);
            taps(p, |o, i, _| {
                for ch in 0..c {
                    y[o * c + ch] += x[i * c + ch];
                }
            });
            y.iter_mut().for_each(|v| *v *= share);
        });
}

pub(super) fn average_backward(p: &PoolStep, g: &[f32], n: usize) -> Vec<f32> {
    let c = p.input.c;
    let share = 1. / (p.kernel.0 * p.kernel.1) as f32;
    let mut dx = vec![0.; n * p.input.len()];
    dx.par_chunks_exact_mut(p.input.len())
        .zip(g.par_chunks_exact(p.output.len()))
        .for_each(|(dx, g)| {
            taps(p, |o, i, _| {
                for ch in 0..c {
                    dx[i * c + ch] += share * g[o * c + ch];
                }
            });
        });
    dx
}
