//! `siamese verify`: do two pictures show the same thing?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use siamese_core::Strange;
use siamese_embed::{Embedder, Verdict};

use crate::device::DeviceChoice;

/// Arguments of `siamese verify`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A run's folder or a model file
    model: PathBuf,
    /// One picture
    first: PathBuf,
    /// The other picture
    second: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command: exit code 0 for the same, 1 for different (2 and more are failures).
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let device = arguments.device.open()?;
    let embedder = Embedder::load(&arguments.model, &device)?;
    let Verdict {
        same,
        distance,
        threshold,
        probability,
        strange,
    } = embedder.verify(&arguments.first, &arguments.second)?;
    if arguments.json {
        let answer = serde_json::json!({
            "same": same, "distance": distance, "threshold": threshold, "probability": probability,
            "strange": strange.map(|one| one.map(why_strange)),
        });
        println!("{answer}");
    } else {
        let word = if same { "same" } else { "different" };
        let chance = probability
            .map(|p| format!(" · probability of same {p:.3}"))
            .unwrap_or_default();
        let why = embedder.model().threshold.as_ref().zip(probability);
        let why = why
            .and_then(|(fitted, p)| beyond_even_odds(same, p, &fitted.target))
            .unwrap_or_default();
        println!("{word} · distance {distance:.4}, threshold {threshold:.4}{chance}{why}");
    }
    let files = [&arguments.first, &arguments.second];
    for (file, strange) in files.into_iter().zip(strange) {
        let Some(strange) = strange else { continue };
        eprintln!(
            "warning: {} is unlike what the model was trained on ({}): {}; the answer may mean nothing",
            file.display(),
            embedder.model().provenance.data,
            why_strange(strange)
        );
    }
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Why a picture is strange to a model, in a clause.
fn why_strange(strange: Strange) -> &'static str {
    match strange {
        Strange::Grey => "it is grey, and nearly all of that is in colour",
        Strange::Unusual => "its brightness, contrast, colours or detail are unlike those of that",
    }
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
    use super::beyond_even_odds;

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
