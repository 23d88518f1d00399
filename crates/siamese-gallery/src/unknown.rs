//! From which distance on a probe is of no class of the gallery.
//!
//! A threshold for pairs is too lax for a gallery: with a thousand classes there are a thousand chances of a false
//! alarm. So classes are left out of the gallery in turn, and their entries searched in the rest: each is then a
//! stranger, and the distance below which only a hundredth of them fall is the gallery's own threshold.
//!
//! A small gallery has not as many strangers as a hundredth can be told from. It takes the lower of two estimates of how near
//! one unlike pair in so many comes: a hundredth of strangers falls in one of a gallery of `N` entries where one pair falls by
//! `1 − 0.99^(1/N)`.
//!
//! - *Its unlike pairs.* The square roots of their distances are taken as normal (between Wilson and Hilferty's cube root
//!   for a gamma variable and the 2/3 power for the root of a χ² variable), or the log-odds of a learned head's.
//! - *The model's unlike pairs*, those of its validation images, counted when its threshold was fitted. Where they are too few for
//!   such a share, and so its tail is carried on, it is the middle between that, which is lax, and a bound by the calibration,
//!   which is strict; models of before say nothing of their pairs and have that bound alone: of an unlike pair, the odds `p/(1 − p)` of "same" are 1 on average, so
//!   by Markov's inequality they exceed `N/0.01` for one of `N` in less than a hundredth of strangers, a bound that is far
//!   stricter.

use siamese_core::metrics::calibration::Calibration;
use siamese_core::metrics::open_set::threshold_at;
use siamese_core::metrics::verification::probit;
use siamese_words::counted;

use crate::about::ModelAbout;
use crate::error::Result;
use crate::packed::Packed;
use crate::together::Together;

/// The share of strangers that may be taken for somebody.
const FALSE_ALARMS: f64 = 0.01;
/// Strangers that such a share can be told from: one of them.
const FEWEST: usize = 100;
/// Strangers that are looked at, at most: ten of a thousand are a hundredth.
const MOST: usize = 1000;
/// Multiply-adds that looking at them may take, where every pair is compared by a learned head: some seconds.
const MOST_WORK: f64 = 1e11;
/// Neighbours of a stranger's own class that are looked past, at first.
const NEAR: usize = 16;
/// Classes whose pairs tell how far unlike pairs are.
const FEWEST_CLASSES: usize = 3;

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
    /// Fits it by leaving classes out, or estimates it where there are too few entries for that.
    pub(crate) fn fit(packed: &Packed, together: Together, model: &ModelAbout) -> Result<Self> {
        let classes = packed.class_count();
        let (threshold, why) = match packed.len() >= FEWEST && classes >= 2 {
            true => fitted(packed, together, classes)?,
            false => estimated(packed, together, (classes, model)),
        };
        Ok(Self {
            threshold,
            together,
            why,
        })
    }
}

type Told = (Option<f64>, String);

fn fitted(packed: &Packed, together: Together, classes: usize) -> Result<Told> {
    let strangers = strangers(packed, together)?;
    let threshold = threshold_at(&strangers, FALSE_ALARMS)?;
    let alarms = strangers
        .iter()
        .filter(|d| f64::from(**d) < threshold)
        .count();
    let why = format!(
        "fitted by leaving each of {classes} classes out: {alarms} of {} strangers are taken for somebody",
        strangers.len()
    );
    Ok((Some(threshold), why))
}

fn estimated(packed: &Packed, together: Together, (classes, model): (usize, &ModelAbout)) -> Told {
    let chances = match together {
        Together::Nearest => packed.len(),
        Together::Mean => classes,
    };
    let own = unlike(packed, together);
    let of_own = (classes >= FEWEST_CLASSES).then(|| (lower_end(&own, chances, model), "own"));
    let of_model = by_model(model, chances).map(|distance| (distance, "model"));
    let lower = [of_own, of_model].into_iter().flatten();
    let lower = lower.min_by(|a, b| a.0.total_cmp(&b.0));
    let entries = counted(packed.len(), "entry");
    let later = format!("from {FEWEST} entries on it is fitted by leaving classes out");
    match (lower, model.threshold) {
        (Some((threshold, "own")), _) => {
            let why = format!(
                "for 1 % false alarms, estimated from the {} of {entries}; {later}",
                counted(own.len(), "unlike pair")
            );
            (Some(threshold), why)
        }
        (Some((threshold, _)), _) => {
            let by = match &model.unlike {
                Some(tail) => format!("{} of the model's", counted(tail.pairs, "unlike pair")),
                None => "the model's probabilities".into(),
            };
            let why = format!("for 1 % false alarms, estimated from {by} and {entries}; {later}");
            (Some(threshold), why)
        }
        (None, Some(pairs)) => {
            let why = format!(
                "the model's threshold for pairs, which is too lax for a gallery: {entries} of {} tell no better; {later}",
                counted(classes, "class")
            );
            (Some(pairs), why)
        }
        (None, None) => {
            let why = format!(
                "the model has none for pairs, and {entries} of {} tell none; {later}",
                counted(classes, "class")
            );
            (None, why)
        }
    }
}

/// What the model tells: its unlike pairs, where they are enough to count such a share of; where that is carried on beyond what was
/// counted, the middle between it and the bound that its odds give.
fn by_model(model: &ModelAbout, chances: usize) -> Option<f64> {
    let share = share(chances);
    let of_odds = beyond_chance(model.calibration.as_ref(), chances);
    let Some(tail) = &model.unlike else {
        return of_odds;
    };
    let of_tail = tail.distance(share);
    match of_odds.filter(|&strict| !tail.counts(share) && strict < of_tail) {
        Some(strict) => Some(f64::midpoint(of_tail, strict)),
        None => Some(of_tail),
    }
}

/// The share of unlike pairs that may be so near where so many chances make a hundredth.
fn share(chances: usize) -> f64 {
    1.0 - (1.0 - FALSE_ALARMS).powf(1.0 / chances as f64)
}

/// The distance that a hundredth of the nearest of so many unlike pairs fall below.
fn lower_end(unlike: &[f32], chances: usize, model: &ModelAbout) -> f64 {
    let learned = model.head.is_some();
    let bent = |d: &f32| match learned {
        true => {
            // 1 − P(same) may round to 0 or 1
            let d = f64::from(*d).clamp(1e-7, 1.0 - 1e-7);
            (d / (1.0 - d)).ln()
        }
        false => f64::from(*d).max(0.0).sqrt(),
    };
    let bent: Vec<f64> = unlike.iter().map(bent).collect();
    let count = bent.len() as f64;
    let mean = bent.iter().sum::<f64>() / count;
    let squares = bent.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let deviation = (squares / (count - 1.0)).sqrt();
    let low = mean + deviation * probit(share(chances));
    match learned {
        true => 1.0 / (1.0 + (-low).exp()),
        false => low.max(0.0).powi(2),
    }
}

/// The distance below which the model's odds of "same" are beyond what chance gives one of so many unlike pairs.
fn beyond_chance(calibration: Option<&Calibration>, chances: usize) -> Option<f64> {
    let odds = chances.max(1) as f64 / FALSE_ALARMS;
    calibration?
        .reach(odds / (1.0 + odds))
        .filter(|d| d.is_finite())
}

/// The distances of unlike pairs of entries, or of entries and the means of other classes.
fn unlike(packed: &Packed, together: Together) -> Vec<f32> {
    let mut distances = Vec::new();
    for row in 0..packed.len().min(FEWEST) {
        let own = packed.label_of(row);
        match together {
            Together::Nearest => {
                let others = || (0..row).filter(|&other| packed.label_of(other) != own);
                distances.extend(packed.distances(packed.row(row), others()));
            }
            Together::Mean => {
                let means = packed.means(packed.row(row));
                let others = means.iter().filter(|mean| mean.label != own);
                distances.extend(others.map(|mean| mean.distance));
            }
        }
    }
    distances
}

/// How far entries are from the nearest class that is not their own.
fn strangers(packed: &Packed, together: Together) -> Result<Vec<f32>> {
    let bearable = packed
        .cost()
        .map_or(MOST, |cost| (MOST_WORK / cost) as usize);
    let taken = packed.len().min(bearable.clamp(FEWEST, MOST));
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

#[cfg(test)]
mod tests {
    use siamese_core::metrics::{Distance, UnlikeTail};

    use super::*;
    use crate::store::Changes;

    fn model(calibration: Option<Calibration>) -> ModelAbout {
        ModelAbout {
            place: "m".into(),
            fingerprint: "f".into(),
            dim: 2,
            distance: Distance::Euclidean,
            head: None,
            whole: None,
            threshold: Some(0.5),
            calibration,
            unlike: None,
        }
    }

    /// Entries of classes of their own, at these places of a line.
    fn packed(places: &[f32]) -> Packed {
        let mut packed = Packed::new(2, Distance::Euclidean.into());
        let entry = |(i, x): (usize, &f32)| {
            let name = i.to_string();
            (i as i64 + 1, name.clone(), name, vec![*x, 0.0])
        };
        let changes = Changes {
            came: places.iter().enumerate().map(entry).collect(),
            ..Changes::default()
        };
        packed.apply(changes).unwrap();
        packed
    }

    #[test]
    fn a_small_gallery_estimates_from_its_pairs_and_from_the_models_odds_and_takes_the_lower() {
        // six pairs: distances 1 (three times), 2 (twice), 3
        let gallery = packed(&[0.0, 1.0, 2.0, 3.0]);
        let roots = [1.0, 1.0, 1.0, 2f64.sqrt(), 2f64.sqrt(), 3f64.sqrt()];
        let mean = roots.iter().sum::<f64>() / 6.0;
        let deviation = (roots.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
        let share = 1.0 - 0.99f64.powf(0.25);
        let own = (mean + deviation * probit(share)).powi(2);
        let limit = Limit::fit(&gallery, Together::Nearest, &model(None)).unwrap();
        let threshold = limit.threshold.unwrap();
        assert!((threshold - own).abs() < 1e-9, "{threshold} {own}");
        assert!(
            limit.why.contains("6 unlike pairs of 4 entries"),
            "{}",
            limit.why
        );
        assert!(limit.why.contains("from 100 entries on"), "{}", limit.why);

        // odds of 400 to 1 at 0.01: lower than the gallery's own
        let slope = (1000f64 / 400.0).ln() / 0.01;
        let strict = Calibration::Logistic {
            slope,
            intercept: -(1000f64.ln()),
        };
        let limit = Limit::fit(&gallery, Together::Nearest, &model(Some(strict))).unwrap();
        assert!((limit.threshold.unwrap() - 0.01).abs() < 1e-9, "{limit:?}");
        assert!(
            limit.why.contains("the model's probabilities"),
            "{}",
            limit.why
        );
        // one that is never so sure says nothing
        let vague = Calibration::Logistic {
            slope: 1.0,
            intercept: -2.0,
        };
        let limit = Limit::fit(&gallery, Together::Nearest, &model(Some(vague.clone()))).unwrap();
        assert_eq!(limit.threshold, Some(threshold));
        let limit = Limit::fit(&packed(&[0.0]), Together::Mean, &model(Some(vague))).unwrap();
        assert_eq!(limit.threshold, Some(0.5));
        assert!(
            limit.why.contains("too lax") && limit.why.contains("1 entry of 1 class"),
            "{}",
            limit.why
        );
    }

    #[test]
    fn what_the_model_counted_of_unlike_pairs_goes_before_its_odds() {
        let gallery = packed(&[0.0, 1.0, 2.0, 3.0]);
        let strict = Calibration::Logistic {
            slope: 1000.0,
            intercept: -7.0,
        };
        // pairs spread evenly from 0.01 to 1.01
        let distances: Vec<f32> = (0..10_000).map(|i| 0.01 + i as f32 / 10_000.0).collect();
        let counting = ModelAbout {
            unlike: Some(UnlikeTail::of_distances(&distances).unwrap()),
            ..model(Some(strict))
        };
        let limit = Limit::fit(&gallery, Together::Nearest, &counting).unwrap();
        let share = 1.0 - 0.99f64.powf(0.25);
        assert!(
            (limit.threshold.unwrap() - 0.01 - share).abs() < 1e-3,
            "{limit:?}"
        );
        let why = "10000 unlike pairs of the model's and 4 entries";
        assert!(limit.why.contains(why), "{}", limit.why);

        // of 100 pairs no such share can be counted: the middle of what is carried on and of the odds' bound
        let few: Vec<f32> = distances.iter().step_by(100).copied().collect();
        let guessing = ModelAbout {
            unlike: Some(UnlikeTail::of_distances(&few).unwrap()),
            ..counting
        };
        let strict = beyond_chance(guessing.calibration.as_ref(), 4).unwrap();
        let carried = guessing.unlike.as_ref().unwrap().distance(share);
        let wanted = f64::midpoint(carried, strict.min(carried));
        assert!((by_model(&guessing, 4).unwrap() - wanted).abs() < 1e-12);
        let without = ModelAbout {
            unlike: None,
            ..guessing
        };
        assert_eq!(by_model(&without, 4), Some(strict));
    }

    #[test]
    fn pairs_that_coincide_leave_nobody_known_rather_than_a_number_that_is_none() {
        let limit = Limit::fit(&packed(&[1.0; 5]), Together::Nearest, &model(None)).unwrap();
        assert_eq!(limit.threshold, Some(0.0));
    }
}
