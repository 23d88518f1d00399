//! `siamese evaluate`: how good is a model, or an embedding from anywhere?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use siamese_core::metrics::npz::{EmbeddingTable, read_npz, write_npz};
use siamese_core::metrics::{Figure, Interval};
use siamese_core::{Distance, Model};
use siamese_data::{ImageSet, read_image_folder};
use siamese_evaluate::{EvaluateConfig, Evaluation, evaluate, evaluate_table};
use siamese_report::{Banner, RunReport};

use crate::data::{DataArguments, SetName};
use crate::device::DeviceChoice;
use crate::train::DistanceName;

/// Arguments of `siamese evaluate`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A run's folder or a model file
    #[arg(required_unless_present = "embeddings", conflicts_with = "embeddings")]
    model: Option<PathBuf>,
    /// Judge on this folder of pictures, one subfolder per class, instead of CIFAR-100's test split
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "source"])]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: DataArguments,
    /// Judge embeddings from anywhere: an .npz with embeddings (N, D) and labels (N), optionally a gallery's
    #[arg(long, value_name = "FILE.npz")]
    embeddings: Option<PathBuf>,
    /// Distance between those embeddings
    #[arg(long, value_enum, requires = "embeddings")]
    distance: Option<DistanceName>,
    /// Balanced pairs to draw
    #[arg(long, default_value_t = 20_000)]
    pairs: usize,
    /// Seed of the pairs and of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print every figure as JSON
    #[arg(long)]
    json: bool,
    /// Write a report to look at
    #[arg(long, value_name = "FILE.html", conflicts_with = "embeddings")]
    report: Option<PathBuf>,
    /// Write the embeddings and labels
    #[arg(long, value_name = "FILE.npz", conflicts_with = "embeddings")]
    export: Option<PathBuf>,
    /// Write the embeddings, classes and pictures for TensorBoard's projector
    #[arg(long, value_name = "DIR", conflicts_with = "embeddings")]
    projector: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = EvaluateConfig {
        pairs: arguments.pairs,
        seed: arguments.seed,
    };
    if let Some(path) = &arguments.embeddings {
        let distance = arguments
            .distance
            .map_or(Distance::Euclidean, Distance::from);
        let judged = evaluate_table(&read_npz(path)?, distance, &config)?;
        let threshold = f64::from(judged.threshold.value);
        let note = "threshold fitted on half of the embeddings of each label, verification reported on the other half";
        show(arguments, &judged.figures, threshold, note)?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = model_path(arguments.model.as_deref().context("no model was given")?);
    let model = Model::load(&path, &arguments.device.open()?)?;
    let (images, sample) = images(arguments, &model)?;
    let judged = evaluate(&model, &images, &config)?;
    if let Some(file) = &arguments.report {
        report(&judged, &images, sample, &path).and_then(|report| Ok(report.write(file)?))?;
    }
    if let Some(file) = &arguments.export {
        let values = judged.embeddings.values.flatten_all()?.to_vec1::<f32>()?;
        let dim = judged.embeddings.values.dim(1)?;
        let labels = images.labels.clone();
        let table = EmbeddingTable {
            values,
            dim,
            labels,
        };
        write_npz(file, &table.view()?, None)?;
    }
    if let Some(folder) = &arguments.projector {
        judged.projector("embeddings", &images)?.write(folder)?;
    }
    let note = format!(
        "{} balanced pairs of {} images, at the model's own threshold",
        arguments.pairs,
        images.len()
    );
    show(
        arguments,
        &judged.figures,
        f64::from(judged.threshold),
        &note,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A run's best model, or the file itself.
pub(crate) fn model_path(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join("best.safetensors")
    } else {
        path.to_path_buf()
    }
}

/// The images to judge on, and whether they are only the bundled sample.
fn images(arguments: &Arguments, model: &Model) -> Result<(ImageSet, bool)> {
    let Some(folder) = &arguments.folder else {
        let data = arguments.data.load(SetName::Cifar100)?;
        return Ok((data.test, data.provenance.is_sample()));
    };
    let input = &model.tower.config().input;
    let read = read_image_folder(folder, Some((input.height, input.width)))?;
    let unreadable = read
        .problems
        .iter()
        .filter(|p| matches!(p, siamese_data::FileProblem::Unreadable { .. }))
        .count();
    if unreadable > 0 {
        eprintln!(
            "warning: {unreadable} files of {} could not be read and were left out",
            folder.display()
        );
    }
    Ok((read.set, false))
}

fn report(judged: &Evaluation, images: &ImageSet, sample: bool, model: &Path) -> Result<RunReport> {
    let mut report = RunReport {
        name: model.display().to_string(),
        data: format!(
            "{} images of {} classes",
            images.len(),
            images.classes.len()
        ),
        banners: if sample {
            vec![Banner::bundled_sample()]
        } else {
            Vec::new()
        },
        ..Default::default()
    };
    judged.fill(&mut report, images)?;
    Ok(report)
}

fn show(arguments: &Arguments, figures: &[Figure], threshold: f64, note: &str) -> Result<()> {
    if arguments.json {
        let mut object = serde_json::Map::new();
        for Figure {
            name,
            value,
            interval,
        } in figures
        {
            object.insert(
                name.clone(),
                serde_json::json!({ "value": value, "interval": interval }),
            );
        }
        object.insert(
            "threshold".into(),
            serde_json::json!({ "value": threshold, "interval": null }),
        );
        println!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    println!("{:<28} {:>8}   95 % interval", "figure", "value");
    for Figure {
        name,
        value,
        interval,
    } in figures
    {
        match interval {
            Some(Interval { low, high }) => {
                println!("{name:<28} {value:>8.4}   {low:.4} – {high:.4}")
            }
            None => println!("{name:<28} {value:>8.4}   –"),
        }
    }
    println!("threshold {threshold:.4} · {note}");
    Ok(())
}
