//! `siamese verify`: do pictures show the same thing?

use std::collections::HashMap;
use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use siamese_core::Strange;
use siamese_embed::{Embedder, Look, Verdict};

use crate::crop::{CropArguments, face_json, say_largest};
use crate::device::DeviceChoice;
use crate::output::FAILURE;

/// Pictures of a list that are kept at most, so that one that comes again is not read again.
const KEPT: usize = 10_000;

/// Arguments of `siamese verify`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A run's folder or a model file
    model: PathBuf,
    /// One picture; - reads pairs from standard input, two paths a line with a tab, a comma or a blank between them
    first: PathBuf,
    /// The other picture, or several: the first is compared with each
    others: Vec<PathBuf>,
    #[command(flatten)]
    crop: CropArguments,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print the answer as JSON, a line each
    #[arg(long)]
    json: bool,
}

/// Runs the command: exit code 0 where all are the same, 1 where one is different (2 and more are failures).
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let listed = arguments.first == Path::new("-");
    ensure!(
        listed == arguments.others.is_empty(),
        match listed {
            true => "- reads pairs from standard input: name no other picture beside it",
            false => "name two pictures or more, or - to read pairs from standard input",
        }
    );
    let device = arguments.device.open()?;
    let mut judge = Judge {
        embedder: arguments.crop.load(&arguments.model, &device)?,
        looks: HashMap::new(),
        json: arguments.json,
        named: listed || arguments.others.len() > 1,
        code: 0,
    };
    if listed {
        for (number, line) in stdin().lock().lines().enumerate() {
            let line = line.context("reading standard input")?;
            if !line.trim().is_empty() {
                let (a, b) = pair(&line).with_context(|| {
                    let number = number + 1;
                    format!("standard input:{number}: {line:?} is no pair; write two paths, with a tab between them")
                })?;
                judge.show(a.as_ref(), b.as_ref())?;
            }
        }
    } else if let [other] = arguments.others.as_slice() {
        let (first, other) = (arguments.first.as_path(), other.as_path());
        let verdict = judge.verdict(first, other)?;
        judge.print(first, other, &verdict);
    } else {
        for other in &arguments.others {
            judge.show(&arguments.first, other)?;
        }
    }
    Ok(ExitCode::from(judge.code))
}

/// Two paths of a line, divided by a tab, else a comma, else a blank.
fn pair(line: &str) -> Option<(&str, &str)> {
    let at = |divider: char| line.trim().split_once(divider);
    let (a, b) = at('\t').or_else(|| at(',')).or_else(|| at(' '))?;
    let (a, b) = (a.trim(), b.trim());
    (!a.is_empty() && !b.is_empty()).then_some((a, b))
}

/// Answers one pair after another.
struct Judge {
    embedder: Embedder,
    looks: HashMap<PathBuf, Look>,
    json: bool,
    /// Whether an answer names its pictures.
    named: bool,
    code: u8,
}

impl Judge {
    /// Answers a pair of many: a picture that cannot be read is told, and the next pair's turn comes.
    fn show(&mut self, a: &Path, b: &Path) -> Result<()> {
        ensure!(
            self.embedder.model().threshold.is_some(),
            siamese_embed::Error::from(siamese_embed::SightError::NoThreshold)
        );
        match self.verdict(a, b) {
            Ok(verdict) => self.print(a, b, &verdict),
            Err(error) => {
                self.code = FAILURE;
                if self.json {
                    let said = json!({"first": a, "second": b, "error": format!("{error:#}")});
                    println!("{said}");
                } else {
                    eprintln!("error: {error:#}");
                }
            }
        }
        Ok(())
    }

    fn verdict(&mut self, a: &Path, b: &Path) -> Result<Verdict> {
        if self.looks.len() >= KEPT {
            self.looks.clear();
        }
        for path in [a, b] {
            if !self.looks.contains_key(path) {
                let look = self.embedder.look(path)?;
                say_largest(&path.display().to_string(), look.face.as_ref());
                self.looks.insert(path.to_path_buf(), look);
            }
        }
        Ok(self.embedder.judge(&self.looks[a], &self.looks[b])?)
    }

    fn print(&mut self, a: &Path, b: &Path, verdict: &Verdict) {
        let &Verdict {
            same,
            distance,
            threshold,
            probability,
            strange,
        } = verdict;
        if !same {
            self.code = self.code.max(1);
        }
        if self.json {
            let mut answer = json!({
                "first": a, "second": b,
                "same": same, "distance": distance, "threshold": threshold, "probability": probability,
                "strange": strange.map(|one| one.map(|strange| strange.to_string())),
            });
            if self.embedder.finder().is_some() {
                let face = |path| self.looks.get(path)?.face.as_ref().map(face_json);
                answer["faces"] = json!([face(a), face(b)]);
            }
            println!("{answer}");
        } else {
            let names = match self.named {
                true => format!("{} {}: ", a.display(), b.display()),
                false => String::new(),
            };
            let word = if same { "same" } else { "different" };
            let chance = probability
                .map(|p| format!(" · probability of same {p:.3}"))
                .unwrap_or_default();
            let why = self.embedder.model().threshold.as_ref().zip(probability);
            let why = why
                .and_then(|(fitted, p)| beyond_even_odds(same, p, &fitted.target))
                .unwrap_or_default();
            println!(
                "{names}{word} · distance {distance:.4}, threshold {threshold:.4}{chance}{why}"
            );
        }
        for (file, strange) in [a, b].into_iter().zip(strange) {
            if let Some(strange) = strange {
                warn_of_strange(&self.embedder, file, strange);
            }
        }
    }
}

/// Warns of a picture that is unlike what the model knows.
pub(crate) fn warn_of_strange(embedder: &Embedder, file: &Path, strange: Strange) {
    eprintln!(
        "warning: {} is unlike what the model was trained on ({}): {}; the answer may mean nothing",
        file.display(),
        embedder.model().provenance.data,
        strange
    );
}

/// Why a threshold that was not fitted to even odds says otherwise than the probability.
fn beyond_even_odds(same: bool, probability: f64, target: &str) -> Option<String> {
    let (stricter, side) = match (same, probability) {
        (false, p) if p > 0.5 => ("stricter", "different"),
        (true, p) if p < 0.5 => ("laxer", "same"),
        _ => return None,
    };
    Some(format!(
        ", yet {side}: the threshold is {stricter} than even odds, fitted to {target}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{beyond_even_odds, pair};

    #[test]
    fn a_line_is_divided_by_a_tab_or_a_comma_or_a_blank() {
        assert_eq!(pair("a b.png\tc.png"), Some(("a b.png", "c.png")));
        assert_eq!(pair("a b.png, c.png"), Some(("a b.png", "c.png")));
        assert_eq!(pair(" a.png  c.png "), Some(("a.png", "c.png")));
        assert_eq!((pair("a.png"), pair("a.png,")), (None, None));
    }

    #[test]
    fn a_verdict_against_the_odds_says_why() {
        let why = beyond_even_odds(false, 0.597, "FAR of at most 0.001").unwrap_or_default();
        assert_eq!(
            why,
            ", yet different: the threshold is stricter than even odds, fitted to FAR of at most 0.001"
        );
        assert!(beyond_even_odds(true, 0.4, "equal error rate").is_some());
        assert_eq!(beyond_even_odds(false, 0.4, ""), None);
        assert_eq!(beyond_even_odds(true, 0.9, ""), None);
    }
}
