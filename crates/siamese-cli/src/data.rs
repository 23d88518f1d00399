//! Data sets on the command line: where they come from, and `siamese fetch`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use siamese_data::{Dataset, LoadOptions, Origin, SourceChoice, fetch_cifar100, load_cifar100};

use crate::check;

/// The data sets that the commands know by name.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SetName {
    /// 60,000 images of 32×32 pixels in 100 classes
    Cifar100,
}

/// Where the images come from.
#[derive(Args)]
pub(crate) struct DataArguments {
    /// The data set on disk: the hub's parquet folder, cifar-100-binary.tar.gz, or its unpacked folder
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Where to take it from otherwise
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "data")]
    source: Source,
}

#[derive(Clone, Copy, ValueEnum)]
enum Source {
    /// What is on this machine, else the hub, else (without a network) the bundled sample
    Auto,
    /// The Hugging Face hub, or an error
    Hub,
    /// The bundled sample: 4,000 training and 1,000 test images
    Sample,
}

impl DataArguments {
    /// Loads the set, and says loudly if it is only the sample.
    pub(crate) fn load(&self, set: SetName) -> Result<Dataset> {
        self.load_as(set, None)
    }

    /// As [`Self::load`]; where nothing was asked for, from where an earlier run had it.
    pub(crate) fn load_as(&self, set: SetName, earlier: Option<&Origin>) -> Result<Dataset> {
        let asked = (self.data.clone(), self.source);
        let (data, source) = match (asked, earlier) {
            ((None, Source::Auto), Some(Origin::Path(path))) => (Some(path.clone()), Source::Auto),
            ((None, Source::Auto), Some(Origin::Sample(_))) => (None, Source::Sample),
            (asked, _) => asked,
        };
        let options = LoadOptions {
            data,
            source: match source {
                Source::Auto => SourceChoice::Auto,
                Source::Hub => SourceChoice::Hub,
                Source::Sample => SourceChoice::Sample,
            },
            ..Default::default()
        };
        let data = match set {
            SetName::Cifar100 => load_cifar100(&options)?,
        };
        if data.provenance.is_sample() {
            warn_of_sample(&data);
        }
        Ok(data)
    }
}

fn warn_of_sample(data: &Dataset) {
    let reason = data.provenance.fallback.as_deref().unwrap_or("asked for");
    eprintln!("┌──────────────────────────────────────────────────────────────────────────────");
    eprintln!(
        "│ WARNING: this is only the bundled sample ({} training images).",
        data.train.len()
    );
    eprintln!("│ Its figures show that all works, not how good the method is.");
    eprintln!("│ Why: {reason}");
    eprintln!("│ The whole set: siamese fetch cifar100, or --data PATH");
    eprintln!("└──────────────────────────────────────────────────────────────────────────────");
}

/// `siamese data …`
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Look for what makes figures wrong: leaks, twins, damaged files, classes too small
    Check(check::Arguments),
}

/// Runs `siamese data …`.
pub(crate) fn run(command: &DataCommand) -> Result<ExitCode> {
    let DataCommand::Check(arguments) = command;
    check::run(arguments)
}

/// Arguments of `siamese fetch`.
#[derive(Args)]
pub(crate) struct FetchArguments {
    /// The data set
    #[arg(value_enum)]
    set: SetName,
}

/// `siamese fetch`: downloads a set, decodes it and checks it.
pub(crate) fn fetch(arguments: &FetchArguments) -> Result<ExitCode> {
    match arguments.set {
        SetName::Cifar100 => {
            let options = LoadOptions {
                source: SourceChoice::Hub,
                ..Default::default()
            };
            fetch_cifar100(&options)?;
            let data = load_cifar100(&options)?;
            println!(
                "cifar100: {} training and {} test images from {}, {}",
                data.train.len(),
                data.test.len(),
                data.provenance.origin,
                if data.provenance.verified {
                    "md5 as published"
                } else {
                    "md5 NOT as published"
                }
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
