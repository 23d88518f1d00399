//! Data sets on the command line: where they come from, and `siamese fetch`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use siamese_data::{
    Columns, Dataset, Listing, LoadOptions, OpenOptions, Origin, SourceChoice, fetch_cifar100,
    load_cifar100,
};

/// The data sets that the commands know by name.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SetName {
    /// 60,000 images of 32×32 pixels in 100 classes
    Cifar100,
}

/// Where the images come from.
#[derive(Args)]
pub(crate) struct DataArguments {
    /// Where the data set lies, if not where its name leads
    #[arg(long = "data", id = "place", value_name = "PATH")]
    data: Option<String>,
    /// Where to take a set from that is named
    #[arg(long, value_enum, default_value = "auto", conflicts_with = "place")]
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
    /// Where the data set lies, if that was told.
    pub(crate) fn path(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// How a data set is opened.
    pub(crate) fn options(&self, columns: Columns) -> OpenOptions {
        OpenOptions {
            source: self.source.into(),
            columns,
            ..Default::default()
        }
    }

    /// As [`Self::options`]; where nothing was asked for, the sample again for a run that had it.
    pub(crate) fn options_as(&self, columns: Columns, sample: bool) -> OpenOptions {
        let again = sample && self.data.is_none() && matches!(self.source, Source::Auto);
        OpenOptions {
            source: if again {
                SourceChoice::Sample
            } else {
                self.source.into()
            },
            ..self.options(columns)
        }
    }

    /// Says what was recognised, loudly if it is only the sample.
    pub(crate) fn say(&self, listing: &Listing) {
        eprint!("{}", listing.describe());
        if matches!(listing.origin, Origin::Sample(_)) {
            warn_of_sample(listing.items.len(), listing.fallback.as_deref());
        }
        warn_unless_as_published(listing);
    }

    /// Loads a set by name, and says loudly if it is only the sample.
    pub(crate) fn load(&self, set: SetName) -> Result<Dataset> {
        let options = LoadOptions {
            data: self.data.as_ref().map(PathBuf::from),
            source: self.source.into(),
            ..Default::default()
        };
        let data = match set {
            SetName::Cifar100 => load_cifar100(&options)?,
        };
        if data.provenance.is_sample() {
            let images = data.train.len() + data.test.len();
            warn_of_sample(images, data.provenance.fallback.as_deref());
        }
        Ok(data)
    }
}

impl From<Source> for SourceChoice {
    fn from(source: Source) -> Self {
        match source {
            Source::Auto => Self::Auto,
            Source::Hub => Self::Hub,
            Source::Sample => Self::Sample,
        }
    }
}

/// Says loudly that a set that is known by name has other files than were published.
pub(crate) fn warn_unless_as_published(listing: &Listing) {
    if listing.verified == Some(false) {
        let title = &listing.title;
        eprintln!(
            "┌──────────────────────────────────────────────────────────────────────────────"
        );
        eprintln!("│ WARNING: these files are NOT {title} as it was published (md5).");
        eprintln!("│ Figures on them are not comparable with those of others.");
        eprintln!(
            "└──────────────────────────────────────────────────────────────────────────────"
        );
    }
}

fn warn_of_sample(images: usize, fallback: Option<&str>) {
    let reason = fallback.unwrap_or("asked for");
    eprintln!("┌──────────────────────────────────────────────────────────────────────────────");
    eprintln!("│ WARNING: this is only the bundled sample ({images} images).");
    eprintln!("│ Its figures show that all works, not how good the method is.");
    eprintln!("│ Why: {reason}");
    eprintln!("│ The whole set: siamese fetch cifar100, or --data PATH");
    eprintln!("└──────────────────────────────────────────────────────────────────────────────");
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
