//! Max- and average-pool of one image with any window.

use std::ops::Range;

use crate::plan::PoolStep;

/// For each pixel of each window inside the image: (output pixel, input pixel, place in the window).
fn taps(p: &PoolStep, f: impl FnMut(usize, usize, usize)) {
    taps_of(p, 0..p.output.h, f);
}

/// The same of some lines of the output, whose pixels are counted from the first of these.
fn taps_of(p: &PoolStep, lines: Range<usize>, mut f: impl FnMut(usize, usize, usize)) {
    let first = lines.start;
    for oy in lines {
        for ox in 0..p.output.w {
            for ky in 0..p.kernel.0 {
                let iy = (oy * p.stride + ky).wrapping_sub(p.padding);
                for kx in 0..p.kernel.1 {
                    let ix = (ox * p.stride + kx).wrapping_sub(p.padding);
                    if iy < p.input.h && ix < p.input.w {
                        f(
                            (oy - first) * p.output.w + ox,
                            iy * p.input.w + ix,
                            ky * p.kernel.1 + kx,
                        );
                    }
                }
            }
        }
    }
}

/// The largest of each window, the first where several are; its place into `winner` unless empty.
pub(super) fn max(p: &PoolStep, x: &[f32], y: &mut [f32], winner: &mut [u8]) {
    max_of_lines(p, 0, x, y, winner);
}

/// The same of the lines of an image's output from `first` on, as many as `y` holds.
pub(super) fn max_of_lines(
    p: &PoolStep,
    first: usize,
    x: &[f32],
    y: &mut [f32],
    winner: &mut [u8],
) {
    let c = p.input.c;
    let lines = first..first + y.len() / (p.output.w * c);
    y.fill(f32::NEG_INFINITY);
    taps_of(p, lines, |o, i, k| {
        let (x, y) = (&x[i * c..][..c], &mut y[o * c..][..c]);
        if winner.is_empty() {
            y.iter_mut()
                .zip(x)
                .for_each(|(y, &x)| *y = if x > *y || x.is_nan() { x } else { *y });
            return;
        }
        let winner = &mut winner[o * c..][..c];
        for ((y, w), &x) in y.iter_mut().zip(winner).zip(x) {
            let ahead = x > *y || x.is_nan();
            *y = if ahead { x } else { *y };
            *w = if ahead { k as u8 } else { *w };
        }
    });
}

/// Each window's gradient to its winner.
pub(super) fn max_gradient(p: &PoolStep, g: &[f32], winner: &[u8], dx: &mut [f32]) {
    let c = p.input.c;
    dx.fill(0.);
    taps(p, |o, i, k| {
        let from = g[o * c..][..c].iter().zip(&winner[o * c..][..c]);
        for (dx, (&g, &w)) in dx[i * c..][..c].iter_mut().zip(from) {
            *dx += if w as usize == k { g } else { 0. };
        }
    });
}

/// The gradient behind an activation whose output was `y`.
pub(super) fn mask(slope: f32, y: &[f32], g: &mut [f32]) {
    for (g, &y) in g.iter_mut().zip(y) {
        *g *= if y > 0. { 1. } else { slope };
    }
}

/// The mean of each window, padding included.
pub(super) fn average(p: &PoolStep, x: &[f32], y: &mut [f32]) {
    let c = p.input.c;
    let share = 1. / (p.kernel.0 * p.kernel.1) as f32;
    y.fill(0.);
    taps(p, |o, i, _| {
        let (x, y) = (&x[i * c..][..c], &mut y[o * c..][..c]);
        y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    });
    y.iter_mut().for_each(|y| *y *= share);
}

/// Each window's gradient in equal shares to its pixels.
pub(super) fn average_gradient(p: &PoolStep, g: &[f32], dx: &mut [f32]) {
    let c = p.input.c;
    let share = 1. / (p.kernel.0 * p.kernel.1) as f32;
    dx.fill(0.);
    taps(p, |o, i, _| {
        let (g, dx) = (&g[o * c..][..c], &mut dx[i * c..][..c]);
        dx.iter_mut().zip(g).for_each(|(d, g)| *d += share * g);
    });
}
