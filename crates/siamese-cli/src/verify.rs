//! `siamese verify`: do two pictures show the same thing?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use siamese_core::{Model, TensorDistance};
use siamese_data::read_image;

use crate::device::DeviceChoice;
use crate::evaluate::model_path;

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
    let model = Model::load(model_path(&arguments.model), &device)?;
    let threshold = model
        .threshold
        .as_ref()
        .context("the model carries no threshold; fit one with `siamese evaluate MODEL --threshold-at accuracy --save-model FILE`")?;
    let input = &model.tower.config().input;
    ensure!(
        input.channels() == 3,
        "the model takes images of {} channels, pictures are read as RGB",
        input.channels()
    );
    let mut pixels = Vec::with_capacity(2 * input.image_len());
    for file in [&arguments.first, &arguments.second] {
        pixels.extend(read_image(file, (input.height, input.width))?);
    }
    let embeddings = model.tower.embed(&input.to_tensor(&pixels, &device)?)?;
    let (a, b) = (embeddings.narrow(0, 0, 1)?, embeddings.narrow(0, 1, 1)?);
    let distance = model.distance.between(&a, &b)?.to_vec1::<f32>()?[0];
    let same = threshold.is_same(distance);
    let probability = threshold
        .calibration
        .as_ref()
        .map(|c| c.probability(distance));
    if arguments.json {
        let answer = serde_json::json!({
            "same": same, "distance": distance, "threshold": threshold.value, "probability": probability,
        });
        println!("{answer}");
    } else {
        let word = if same { "same" } else { "different" };
        let chance = probability
            .map(|p| format!(" · probability of same {p:.3}"))
            .unwrap_or_default();
        println!(
            "{word} · distance {distance:.4}, threshold {:.4}{chance}",
            threshold.value
        );
    }
    Ok(if same {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}
