//! Lake's 400 one-shot trials on Omniglot: 20 runs of 20, each run within one alphabet.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapConfig, mean_interval};
use crate::error::{Error, Result, check_finite, check_same_length};
use crate::figure::Figure;

/// One run: each test image is compared with each training image, one per class.
#[derive(Clone, Debug, PartialEq)]
pub struct Trials {
    /// `(tests, classes)`, row after row: how far test image `i` is from class `j`'s image.
    pub distances: Vec<f32>,
    /// The class of each test image, from 0.
    pub truth: Vec<usize>,
}

/// The outcome of all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LakeTrials {
    /// Trials right in each run.
    pub correct: Vec<usize>,
    /// Trials in all.
    pub trials: usize,
    /// `lake_one_shot_accuracy`, with an interval resampled by run.
    pub accuracy: Figure,
}

/// Scores runs: a trial is right when the nearest class is the true one (the first, on a tie).
///
/// Lake, Salakhutdinov and Tenenbaum, *Human-level concept learning through probabilistic program
/// induction* (Science 2015). The classes of a trial come from one alphabet: never compare with
/// trials drawn from all of Omniglot, which are far easier.
///
/// # Errors
/// No run, a run without trials, distances that are not `tests × classes` or not finite, or a
/// true class that does not exist.
pub fn lake_trials(runs: &[Trials], bootstrap: &BootstrapConfig) -> Result<LakeTrials> {
    if runs.is_empty() {
        return Err(Error::Empty { what: "runs" });
    }
    let mut correct = Vec::with_capacity(runs.len());
    let (mut right, mut run_of) = (Vec::new(), Vec::new());
    for (number, run) in runs.iter().enumerate() {
        let scored = score_run(run)?;
        correct.push(scored.iter().filter(|r| **r).count());
        run_of.extend(vec![number as u32; scored.len()]);
        right.extend(scored.into_iter().map(|r| f64::from(u8::from(r))));
    }
    let value = right.iter().sum::<f64>() / right.len() as f64;
    let interval = mean_interval(&right, &run_of, bootstrap)?;
    let accuracy = Figure {
        name: "lake_one_shot_accuracy".to_owned(),
        value,
        interval,
    };
    Ok(LakeTrials {
        correct,
        trials: right.len(),
        accuracy,
    })
}

fn score_run(run: &Trials) -> Result<Vec<bool>> {
    if run.truth.is_empty() || run.distances.is_empty() {
        return Err(Error::Empty { what: "trials" });
    }
    let classes = run.distances.len() / run.truth.len();
    check_same_length(
        ("distances", run.distances.len()),
        ("tests × classes", run.truth.len() * classes),
    )?;
    check_finite("distances", &run.distances)?;
    if let Some(class) = run.truth.iter().find(|class| **class >= classes) {
        let why = format!("class {class} of {classes}, counted from 0");
        return Err(Error::Invalid { what: "truth", why });
    }
    let nearest = |row: &[f32]| {
        let nearer = |best: usize, next: usize| if row[next] < row[best] { next } else { best };
        (0..row.len()).reduce(nearer)
    };
    let rows = run.distances.chunks_exact(classes).zip(&run.truth);
    Ok(rows
        .map(|(row, truth)| nearest(row) == Some(*truth))
        .collect())
}
