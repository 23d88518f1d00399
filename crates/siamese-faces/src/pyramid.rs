//! The first look: the proposal net on the picture at many sizes, in strips, so that memory stays small.

use candle_core::{Device, Tensor};

use crate::area::{Part, resized};
use crate::bounds::{Bounds, Overlap, keep_best};
use crate::error::Error;
use crate::nets::ProposalNet;
use crate::picture::Rgb;

/// Side of the proposal net's windows, in pixels, and how far they are apart.
const WINDOW: usize = 12;
const STRIDE: usize = 2;
/// Pixels of a strip.
const STRIP: usize = 1 << 18;

/// A window that may hold a face.
pub(crate) struct Proposal {
    pub bounds: Bounds,
    pub score: f32,
    pub moves: [f32; 4],
}

/// The sizes at which a picture is looked at, as factors: the largest makes a face of `smallest` pixels a window.
pub(crate) fn scales(picture: &Rgb, smallest: f32, factor: f32) -> Vec<f64> {
    let (mut scale, factor) = (WINDOW as f64 / f64::from(smallest), f64::from(factor));
    let mut side = picture.height().min(picture.width()) as f64 * scale;
    let mut scales = Vec::new();
    while side >= WINDOW as f64 {
        scales.push(scale);
        scale *= factor;
        side *= factor;
    }
    scales
}

/// The windows at one size that may hold a face, those that overlap by half thinned out; the best first.
pub(crate) fn propose(
    net: &ProposalNet,
    picture: &Rgb,
    scale: f64,
    threshold: f32,
) -> Result<Vec<Proposal>, Error> {
    let side = |length: usize| (length as f64 * scale + 1.0) as usize;
    let size = (side(picture.height()), side(picture.width()));
    let windows = |side: usize| (side - WINDOW).div_ceil(STRIDE) + 1;
    let rows = windows(size.0);
    let strip = (STRIP / size.1 / STRIDE).max(1);
    let mut found = Vec::new();
    for first in (0..rows).step_by(strip) {
        let last = (first + strip).min(rows);
        // what the windows of rows `first` to `last` see; the last strip reaches the edge
        let end = ((last - 1) * STRIDE + WINDOW).min(size.0);
        let seen = (first * STRIDE, if last == rows { size.0 } else { end });
        let part = Part {
            rows: (0, picture.height()),
            columns: (0, picture.width()),
        };
        let values = resized(picture, part, size, seen);
        let shape = (1, 3, seen.1 - seen.0, size.1);
        let said = net.forward(&Tensor::from_vec(values, shape, &Device::Cpu)?)?;
        for (place, &score) in said.probabilities.iter().enumerate() {
            if score >= threshold {
                let (x, y) = (place % said.width, first + place / said.width);
                found.push(Proposal {
                    bounds: window(x, y, scale),
                    score,
                    moves: said.moves(place),
                });
            }
        }
    }
    Ok(thinned(found, 0.5))
}

/// A window of the proposal net in the picture.
fn window(x: usize, y: usize, scale: f64) -> Bounds {
    // f32, as the reference divides
    let edge = |place: usize, side: usize| ((place * STRIDE + side) as f32 / scale as f32).floor();
    Bounds {
        left: edge(x, 1),
        top: edge(y, 1),
        right: edge(x, WINDOW),
        bottom: edge(y, WINDOW),
    }
}

/// The best of those that overlap by more than `most`.
pub(crate) fn thinned(proposals: Vec<Proposal>, most: f32) -> Vec<Proposal> {
    let boxes: Vec<_> = proposals.iter().map(|p| p.bounds).collect();
    let scores: Vec<_> = proposals.iter().map(|p| p.score).collect();
    let mut proposals: Vec<_> = proposals.into_iter().map(Some).collect();
    let kept = keep_best(&boxes, &scores, most, Overlap::Union);
    kept.into_iter()
        .filter_map(|place| proposals[place].take())
        .collect()
}
