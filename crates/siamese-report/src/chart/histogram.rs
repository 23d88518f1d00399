//! Histograms of a few samples over a common axis.

use std::fmt::Write as _;

use super::frame::{Frame, text_width};
use super::line::Mark;
use super::{Axis, Canvas, Tone};
use crate::text::{count, escape, px, significant};

/// One sample of a histogram.
#[derive(Debug, Clone)]
pub struct Sample<'a> {
    /// Written over its highest part.
    pub name: String,
    /// The values; those that are not finite are left out.
    pub values: &'a [f32],
    /// Its colour.
    pub tone: Tone,
}

/// Share of each sample in each bin, in per cent of the sample.
struct Bins {
    low: f64,
    width: f64,
    shares: Vec<Vec<f64>>,
}

/// Draws the samples over one another, each as shares of its own size.
pub fn histogram(canvas: &Canvas, samples: &[Sample<'_>], mark: Option<(f64, &str)>) -> String {
    let bins = bin(samples);
    let Some(bins) = bins else {
        let mut frame = Frame::new(canvas, std::iter::empty(), std::iter::empty(), 12.0);
        frame.note("no data");
        return frame.finish("No data.");
    };
    let number = bins.shares[0].len();
    let high = bins.low + bins.width * number as f64;
    let x = Axis {
        range: Some((bins.low, high)),
        ..canvas.x.clone()
    };
    let canvas = Canvas {
        x,
        ..canvas.clone()
    };
    let tallest = bins.shares.iter().flatten().copied().fold(0.0, f64::max);
    // Room above the tallest bar for the names.
    let heights = [0.0, tallest * 1.12];
    let mut frame = Frame::new(&canvas, std::iter::empty(), heights.into_iter(), 12.0);
    for (sample, shares) in samples.iter().zip(&bins.shares) {
        draw_sample(&mut frame, sample, shares, &bins);
    }
    if let Some((value, label)) = mark {
        super::line::draw_mark(
            &mut frame,
            &Mark::At {
                x: value,
                label: label.into(),
            },
        );
    }
    name_samples(&mut frame, samples, &bins);
    tooltips(&mut frame, samples, &bins);
    let missing: usize = samples
        .iter()
        .map(|s| s.values.iter().filter(|v| !v.is_finite()).count())
        .sum();
    if missing > 0 {
        frame.aside_missing(missing);
    }
    let description = describe(samples, mark);
    frame.finish(&description)
}

fn finite(values: &[f32]) -> impl Iterator<Item = f64> + Clone + '_ {
    values
        .iter()
        .map(|&value| f64::from(value))
        .filter(|value| value.is_finite())
}

fn bin(samples: &[Sample<'_>]) -> Option<Bins> {
    let all = || samples.iter().flat_map(|sample| finite(sample.values));
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    if low > high {
        return None;
    }
    let (low, high) = if high - low > 1e-9 * high.abs().max(1e-9) {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    };
    // Twice the cube root of n (Rice's rule), within what a small chart can show.
    let smallest = samples
        .iter()
        .map(|s| finite(s.values).count())
        .filter(|&n| n > 0)
        .min()?;
    let number = (2.0 * (smallest as f64).cbrt()).ceil().clamp(8.0, 60.0) as usize;
    let width = (high - low) / number as f64;
    let shares = samples
        .iter()
        .map(|sample| {
            let mut counts = vec![0.0; number];
            for value in finite(sample.values) {
                counts[(((value - low) / width) as usize).min(number - 1)] += 1.0;
            }
            let total: f64 = counts.iter().sum();
            counts
                .iter()
                .map(|c| if total > 0.0 { c / total } else { 0.0 })
                .collect()
        })
        .collect();
    Some(Bins { low, width, shares })
}

fn draw_sample(frame: &mut Frame, sample: &Sample<'_>, shares: &[f64], bins: &Bins) {
    let Some(base) = frame.y.place(0.0) else {
        return;
    };
    let mut top = String::new();
    for (at, &share) in shares.iter().enumerate() {
        let left = frame.x.place(bins.low + bins.width * at as f64);
        let right = frame.x.place(bins.low + bins.width * (at + 1) as f64);
        let (Some(left), Some(right), Some(y)) = (left, right, frame.y.place(share)) else {
            continue;
        };
        let _ = write!(top, "L{} {}H{}", px(left), px(y), px(right));
    }
    let (left, right, base) = (px(frame.left), px(frame.right), px(base));
    let class = sample.tone.class();
    frame.push(&format!(
        r#"<path class="area {class}" d="M{left} {base}{top}L{right} {base}Z"/>"#
    ));
    frame.push(&format!(
        r#"<path class="line thin {class}" d="M{left} {base}{top}V{base}"/>"#
    ));
}

/// Names over the highest part of each sample; where two would meet, left and right of it.
fn name_samples(frame: &mut Frame, samples: &[Sample<'_>], bins: &Bins) {
    let mut names: Vec<(f64, f64, &Sample<'_>)> = Vec::new();
    for (sample, shares) in samples.iter().zip(&bins.shares) {
        let mode = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((at, &share)) = mode.filter(|(_, share)| **share > 0.0) else {
            continue;
        };
        let middle = bins.low + bins.width * (at as f64 + 0.5);
        if let (Some(x), Some(y)) = (frame.x.place(middle), frame.y.place(share)) {
            names.push((x, y - 6.0, sample));
        }
    }
    let width = |sample: &Sample<'_>| text_width(&sample.name);
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let [(left, _, first), (right, _, second)] = names[..] {
        let needed = (width(first) + width(second)) / 2.0 + 10.0;
        let missing = (needed - (right - left)).max(0.0);
        names[0].0 -= missing / 2.0;
        names[1].0 += missing / 2.0;
    }
    for (x, y, sample) in names {
        let half = width(sample) / 2.0;
        let x = x.min(frame.right - half).max(frame.left + half + 2.0);
        let class = format!("series-name halo {}", sample.tone.class());
        frame.text(&class, "middle", x, y, &sample.name);
    }
}

fn tooltips(frame: &mut Frame, samples: &[Sample<'_>], bins: &Bins) {
    for at in 0..bins.shares[0].len() {
        let from = bins.low + bins.width * at as f64;
        let to = from + bins.width;
        let (Some(left), Some(right)) = (frame.x.place(from), frame.x.place(to)) else {
            continue;
        };
        let mut words = format!("{} to {}", significant(from, 3), significant(to, 3));
        for (sample, shares) in samples.iter().zip(&bins.shares) {
            let _ = write!(words, "\n{} {:.1}%", sample.name, shares[at] * 100.0);
        }
        frame.push(&format!(
            r#"<rect class="hit" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>"#,
            px(left),
            px(frame.top),
            px(right - left),
            px(frame.bottom - frame.top),
            escape(&words)
        ));
    }
}

fn describe(samples: &[Sample<'_>], mark: Option<(f64, &str)>) -> String {
    let mut words = String::from("Histogram.");
    for sample in samples {
        let number = finite(sample.values).count();
        if number > 0 {
            let mean = finite(sample.values).sum::<f64>() / number as f64;
            let _ = write!(
                words,
                " {}: {} values, mean {}.",
                sample.name,
                count(number as u64),
                significant(mean, 3)
            );
        }
    }
    if let Some((_, label)) = mark {
        let _ = write!(words, " Marked: {label}.");
    }
    words
}
