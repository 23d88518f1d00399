//! `siamese train`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use siamese_core::{Distance, Precision};
use siamese_train::{Monitor, Outcome, Request, RunFolder, RunRecord, SplitBy, TrainConfig, train};

use crate::data::{DataArguments, SetName};
use crate::device::{DeviceChoice, describe};

/// Set by Ctrl-C: the run ends after the current step.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

/// Arguments of `siamese train`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The data set
    #[arg(value_enum, default_value = "cifar100")]
    set: SetName,
    #[command(flatten)]
    data: DataArguments,
    /// Go on with an interrupted run, by its folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["preset", "config", "name"])]
    resume: Option<PathBuf>,
    /// Name of the run, a folder under --runs [default: cifar100-PRESET-1, -2, …]
    #[arg(long)]
    name: Option<String>,
    /// Where run folders are made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    settings: Settings,
}

/// What a run is made of; each setting overrides the preset's.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
struct Settings {
    /// default: the model to use · quick: a first look within minutes · system-c: as published
    #[arg(long, default_value = "default")]
    preset: String,
    /// Start from a whole configuration instead, such as another run's config.json
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// images: judged on new images of the same classes · classes: on classes never seen (CIFAR-FS)
    #[arg(long, value_enum)]
    split: Option<SplitName>,
    /// The one seed
    #[arg(long)]
    seed: Option<u64>,
    /// Epochs at most
    #[arg(long)]
    epochs: Option<usize>,
    /// Pairs in a batch
    #[arg(long)]
    pairs_per_batch: Option<usize>,
    /// Peak learning rate
    #[arg(long, allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// Distance past which an unlike pair costs nothing
    #[arg(long, allow_negative_numbers = true)]
    margin: Option<f64>,
    /// Distance between embeddings: euclidean, squared-euclidean, cosine or manhattan
    #[arg(long)]
    distance: Option<Distance>,
    /// Share of the unlike pairs drawn within one superclass
    #[arg(long, allow_negative_numbers = true)]
    hard_fraction: Option<f64>,
    /// Largest norm of the gradient
    #[arg(long, allow_negative_numbers = true)]
    clip_norm: Option<f64>,
    /// What the network computes in: f32, tf32 or bf16 (the last two are for CUDA)
    #[arg(long)]
    precision: Option<Precision>,
    /// Epochs without progress that end the run
    #[arg(long)]
    patience: Option<usize>,
    /// Smaller progress does not count
    #[arg(long, allow_negative_numbers = true)]
    min_delta: Option<f64>,
    /// The validation figure that decides
    #[arg(long, value_enum)]
    monitor: Option<MonitorName>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitName {
    Images,
    Classes,
}

#[derive(Clone, Copy, ValueEnum)]
enum MonitorName {
    Loss,
    Eer,
    Auc,
}

impl Settings {
    /// The preset or configuration with the overrides in place.
    fn config(&self) -> Result<TrainConfig> {
        let mut config = match &self.config {
            Some(path) => RunRecord::read_config(path)?,
            None => TrainConfig::cifar100(&self.preset)?,
        };
        set(&mut config.seed, self.seed);
        set(&mut config.epochs, self.epochs);
        set(&mut config.pairs_per_batch, self.pairs_per_batch);
        set(&mut config.learning_rate, self.learning_rate);
        set(&mut config.loss.margin, self.margin);
        set(&mut config.hard_fraction, self.hard_fraction);
        set(&mut config.precision, self.precision);
        set(&mut config.stopping.patience, self.patience);
        set(&mut config.stopping.min_delta, self.min_delta);
        config.clip_norm = self.clip_norm.or(config.clip_norm);
        set(&mut config.distance, self.distance);
        let monitor = self.monitor.map(|name| match name {
            MonitorName::Loss => Monitor::Loss,
            MonitorName::Eer => Monitor::Eer,
            MonitorName::Auc => Monitor::Auc,
        });
        set(&mut config.stopping.monitor, monitor);
        let split = self.split.map(|name| match name {
            SplitName::Images => SplitBy::Images,
            SplitName::Classes => SplitBy::Classes,
        });
        set(&mut config.split, split);
        config.validate()?;
        Ok(config)
    }
}

fn set<T>(value: &mut T, override_: Option<T>) {
    if let Some(new) = override_ {
        *value = new;
    }
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let device = arguments.device.open()?;
    let config = arguments.settings.config()?;
    let resumed = arguments
        .resume
        .as_deref()
        .map(RunFolder::open)
        .map(|folder| folder.and_then(|f| Ok((f.record()?, f))))
        .transpose()?;
    let origin = resumed.as_ref().map(|(record, _)| &record.data.origin);
    let data = arguments.data.load_as(arguments.set, origin)?;
    let (folder, config) = match resumed {
        Some((record, folder)) => {
            record.check_data(&data.provenance)?;
            (folder, record.config)
        }
        None => {
            let stem = format!("{}-{}", data.provenance.name, config.preset);
            let folder = RunFolder::create(&arguments.runs, arguments.name.as_deref(), &stem)?;
            let record =
                RunRecord::new(&config, &data.provenance, describe(&device), command_line());
            folder.write_json("config.json", &record)?;
            (folder, config)
        }
    };
    ctrlc::set_handler(on_interrupt).context("taking over Ctrl-C")?;
    eprintln!(
        "training on {} · {}",
        describe(&device),
        data.provenance.origin
    );
    eprintln!("run folder {}", folder.path().display());
    let outcome = train(&Request {
        config: &config,
        data: &data,
        device: &device,
        folder: &folder,
        interrupt: &INTERRUPT,
    })?;
    let place = folder.path().display();
    match outcome {
        Outcome::Finished(summary) => {
            println!("\n{summary}\n");
            println!("model   {place}/best.safetensors");
            println!("report  {place}/report.html");
            if summary.sample {
                println!("\nWARNING: trained on the bundled sample only; these figures say little");
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted { epoch } => {
            eprintln!("interrupted in epoch {epoch}; go on with: siamese train --resume {place}");
            Ok(ExitCode::from(130))
        }
    }
}

/// The first Ctrl-C ends the run after the current step, a second one at once.
fn on_interrupt() {
    if INTERRUPT.swap(true, Ordering::Relaxed) {
        std::process::exit(130);
    }
    eprintln!("\nending after this step, with a checkpoint; press Ctrl-C again to end at once");
}

/// The command as it was given, without the program's folder.
fn command_line() -> String {
    let arguments = std::env::args().skip(1);
    std::iter::once("siamese".to_string())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
