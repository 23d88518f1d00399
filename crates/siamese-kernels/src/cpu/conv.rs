//! Convolution in plain loops.

use rayon::prelude::*;

use crate::plan::ConvStep;

/// Images whose weight gradients are summed together: fixed, so that results do not depend on threads.
const CHUNK: usize = 8;

/// For each output pixel and kernel offset inside the image: (output pixel, input pixel, kernel offset).
fn taps(c: &ConvStep, mut f: impl FnMut(usize, usize, usize)) {
    for oy in 0..c.output.h {
        for ox in 0..c.output.w {
            for ky in 0..c.kernel {
                let iy = (oy * c.stride + ky).wrapping_sub(c.padding);
                for kx in 0..c.kernel {
                    let ix = (ox * c.stride + kx).wrapping_sub(c.padding);
                    if iy < c.input.h && ix < c.input.w {
                        f(
                            oy * c.output.w + ox,
                            iy * c.input.w + ix,
                            ky * c.kernel + kx,
                        );
                    }
                }
            }
        }
    }
}

/// (C_out, C_in, k²) to (k², C_in, C_out).
fn by_tap(c: &ConvStep, w: &[f32]) -> Vec<f32> {
    let (ci, co, kk) = (c.input.c, c.output.c, c.kernel * c.kernel);
    let mut t = vec![0.; w.len()];
    for o in 0..co {
        for i in 0..ci {
            for k in 0..kk {
                t[(k * ci + i) * co + o] = w[(o * ci + i) * kk + k];
            }
        }
    }
    t
}

pub(super) fn forward(
    c: &ConvStep,
    w: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    n: usize,
) -> Vec<f32> {
    let (ci, co) = (c.input.c, c.output.c);
    let w = by_tap(c, w);
    let mut y = vec![0.; n * c.output.len()];
    y.par_chunks_exact_mut(c.output.len())
        .zip(x.par_chunks_exact(c.input.len()))
        .for_each(|(y, x)| {
            if let Some(bias) = bias {
                y.chunks_exact_mut(co).for_each(|p| p.copy_from_slice(bias));
            }
            taps(c, |o, i, k| {
                let y = &mut y[o * co..][..co];
                for (ic, &v) in x[i * ci..][..ci].iter().enumerate() {
                    let w = &w[(k * ci + ic) * co..][..co];
                    y.iter_mut().zip(w).for_each(|(y, w)| *y += v * w);
                }
            });
        });
    y
}

pub(super) fn input_gradient(c: &ConvStep, w: &[f32], g: &[f32], n: usize) -> Vec<f32> {
    let (ci, co) = (c.input.c, c.output.c);
    let w = by_tap(c, w);
    let mut dx = vec![0.; n * c.input.len()];
    dx.par_chunks_exact_mut(c.input.len())
        .zip(g.par_chunks_exact(c.output.len()))
        .for_each(|(dx, g)| {
            taps(c, |o, i, k| {
                let g = &g[o * co..][..co];
                for (ic, d) in dx[i * ci..][..ci].iter_mut().enumerate() {
                    let w = &w[(k * ci + ic) * co..][..co];
                    *d += g.iter().zip(w).map(|(g, w)| g * w).sum::<f32>();
                }
            });
        });
    dx
}

pub(super) fn weight_gradient(c: &ConvStep, x: &[f32], g: &[f32], _n: usize) -> Vec<f32> {
    let (ci, co, kk) = (c.input.c, c.output.c, c.kernel * c.kernel);
    let parts: Vec<Vec<f32>> = x
        .par_chunks(CHUNK * c.input.len())
        .zip(g.par_chunks(CHUNK * c.output.len()))
        .map(|(x, g)| {
            let mut dw = vec![0.; kk * ci * co];
            for (x, g) in x
                .chunks_exact(c.input.len())
                .zip(g.chunks_exact(c.output.len()))
            {
                taps(c, |o, i, k| {
                    let g = &g[o * co..][..co];
                    for (ic, &v) in x[i * ci..][..ci].iter().enumerate() {
                        let dw = &mut dw[(k * ci + ic) * co..][..co];
                        dw.iter_mut().zip(g).for_each(|(d, g)| *d += v * g);
                    }
                });
            }
            dw
        })
        .collect();
    let mut dw = vec![0.; kk * ci * co];
    for o in 0..co {
        for i in 0..ci {
            for k in 0..kk {
                dw[(o * ci + i) * kk + k] = parts.iter().map(|p| p[(k * ci + i) * co + o]).sum();
            }
        }
    }
    dw
}
