//! From which distance on a probe is of no class of the gallery.
//!
//! A threshold for pairs is too lax for a gallery: with a thousand classes there are a thousand chances of a false
//! alarm. So classes are left out of the gallery in turn, and their entries searched in the rest: each is then a
//! stranger, and the distance below which only a hundredth of them fall is the gallery's own threshold.

use siamese_core::metrics::open_set::threshold_at;

use crate::error::Result;
use crate::packed::Packed;
use crate::together::Together;

/// The share of strangers that may be taken for somebody.
const FALSE_ALARMS: f64 = 0.01;
/// Strangers that such a share can be told from: one of them.
const FEWEST: usize = 100;
/// Strangers that are looked at, at most: ten of a thousand are a hundredth.
const MOST: usize = 1000;
/// Neighbours of a stranger's own class that are looked past, at first.
const NEAR: usize = 16;

/// From which distance on a probe is unknown, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The distance; `None` where neither gallery nor model tell.
    pub threshold: Option<f64>,
    /// How the examples of a class count together.
    pub together: Together,
    /// What it rests on, in words.
    pub why: String,
}

impl Limit {
    /// Fits it by leaving classes out, or falls back on the model's threshold for pairs.
    pub(crate) fn fit(packed: &Packed, together: Together, pairs: Option<f64>) -> Result<Self> {
        let classes = packed.class_count();
        if packed.len() < FEWEST || classes < 2 {
            let few = format!(
                "the gallery's {} entries of {classes} classes are too few to fit a threshold by leaving classes out \
                 ({FEWEST} entries are needed)",
                packed.len()
            );
            let why = match pairs {
                Some(_) => format!("the model's threshold for pairs: {few}"),
                None => format!("none: {few}, and the model has none for pairs"),
            };
            return Ok(Self {
                threshold: pairs,
                together,
                why,
            });
        }
        let strangers = strangers(packed, together)?;
        let threshold = threshold_at(&strangers, FALSE_ALARMS)?;
        let alarms = strangers
            .iter()
            .filter(|d| f64::from(**d) < threshold)
            .count();
        Ok(Self {
            threshold: Some(threshold),
            together,
            why: format!(
                "fitted by leaving each of {classes} classes out: {alarms} of {} strangers are taken for somebody",
                strangers.len()
            ),
        })
    }
}

/// How far entries are from the nearest class that is not their own.
fn strangers(packed: &Packed, together: Together) -> Result<Vec<f32>> {
    let taken = packed.len().min(MOST);
    let rows: Vec<usize> = (0..taken).map(|i| i * packed.len() / taken).collect();
    match together {
        Together::Nearest => nearest_others(packed, rows, NEAR),
        Together::Mean => Ok(rows
            .into_iter()
            .filter_map(|row| {
                let means = packed.means(packed.row(row));
                let other = means.iter().find(|mean| mean.label != packed.label_of(row));
                Some(other?.distance)
            })
            .collect()),
    }
}

/// For each of `rows` the distance of the nearest row of another class.
fn nearest_others(packed: &Packed, rows: Vec<usize>, near: usize) -> Result<Vec<f32>> {
    let probes: Vec<f32> = rows
        .iter()
        .flat_map(|&row| packed.row(row))
        .copied()
        .collect();
    let mut distances = Vec::with_capacity(rows.len());
    let mut hidden = Vec::new();
    for (row, found) in rows.into_iter().zip(packed.nearest(&probes, near)?) {
        let own = packed.label_of(row);
        let mut others = found
            .iter()
            .filter(|n| packed.label_of(n.index as usize) != own);
        match others.next() {
            Some(other) => distances.push(other.distance),
            None => hidden.push(row),
        }
    }
    // a class with many examples hides the others
    if !hidden.is_empty() && near < packed.len() {
        distances.extend(nearest_others(packed, hidden, near * 16)?);
    }
    Ok(distances)
}
