//! `siamese verify`: do two pictures show the same thing?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
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
    } = embedder.verify(&arguments.first, &arguments.second)?;
    if arguments.json {
        let answer = serde_json::json!({
            "same": same, "distance": distance, "threshold": threshold, "probability": probability,
        });
        println!("{answer}");
    } else {
        let word = if same { "same" } else { "different" };
        let chance = probability
            .map(|p| format!(" · probability of same {p:.3}"))
            .unwrap_or_default();
        println!("{word} · distance {distance:.4}, threshold {threshold:.4}{chance}");
    }
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
