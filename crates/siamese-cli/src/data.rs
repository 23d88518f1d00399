//! Data sets on the command line: where they come from, and `siamese fetch`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use siamese_data::{Columns, Listing, OpenOptions, Origin, SourceChoice, open};

/// Where the images come from.
#[derive(Args)]
pub(crate) struct DataArguments {
    /// Where the data set lies, if not where its name leads
    #[arg(long = "data", id = "place", value_name = "PATH")]
    data: Option<OsString>,
    /// Go without shards that are missing, though the names of the others count them
    #[arg(long)]
    allow_missing_shards: bool,
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
    pub(crate) fn path(&self) -> Option<&OsStr> {
        self.data.as_deref()
    }

    /// Whether shards may be missing.
    pub(crate) fn allows_missing_shards(&self) -> bool {
        self.allow_missing_shards
    }

    /// The one set that `--source` is about, where that was told: the set of which a sample is bundled.
    pub(crate) fn sampled(&self) -> Option<&'static str> {
        match self.source {
            Source::Auto => None,
            Source::Hub | Source::Sample => Some("cifar100"),
        }
    }

    /// How a data set is opened.
    pub(crate) fn options(&self, columns: Columns) -> OpenOptions {
        OpenOptions {
            source: self.source.into(),
            columns,
            missing_shards: self.allow_missing_shards,
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
}

/// A path as the text that a configuration keeps.
///
/// # Errors
/// When it has bytes that are none; the message says what to do.
pub(crate) fn as_text(path: &OsStr) -> Result<&str> {
    path.to_str().with_context(|| {
        format!(
            "the name {} has bytes that are no UTF-8, and a run keeps the name of its data as text: rename it, or give a \
             link to it (ln -s)",
            Path::new(path).display()
        )
    })
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

/// Says whether decoded pictures are those that were published, where the files did not tell.
pub(crate) fn say_as_published(title: &str, as_published: Option<bool>) {
    if as_published == Some(true) {
        eprintln!("  its pictures are those that were published (md5)");
    }
    warn_if_other(title, as_published);
}

/// Says loudly that a set that is known by name has other files than were published.
pub(crate) fn warn_unless_as_published(listing: &Listing) {
    warn_if_other(&listing.title, listing.verified);
}

fn warn_if_other(title: &str, as_published: Option<bool>) {
    if as_published == Some(false) {
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
    eprintln!("│ The whole set: siamese fetch SET, or --data PATH");
    eprintln!("└──────────────────────────────────────────────────────────────────────────────");
}

/// Arguments of `siamese fetch`.
#[derive(Args)]
pub(crate) struct FetchArguments {
    /// A set by name, such as cifar100 or fashion-mnist, or hf:user/name
    set: OsString,
    /// Go without shards that are missing, though the names of the others count them
    #[arg(long)]
    allow_missing_shards: bool,
}

/// `siamese fetch`: downloads a set, and says what came.
pub(crate) fn fetch(arguments: &FetchArguments) -> Result<ExitCode> {
    let options = OpenOptions {
        source: SourceChoice::Hub,
        missing_shards: arguments.allow_missing_shards,
        ..Default::default()
    };
    print!("{}", open(&arguments.set, &options)?.describe());
    Ok(ExitCode::SUCCESS)
}
