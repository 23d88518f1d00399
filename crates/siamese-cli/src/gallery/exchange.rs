//! `siamese gallery export` and `import`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use siamese_gallery::{About, Error, Gallery};

use super::entries;

/// Arguments of `siamese gallery export`.
#[derive(Args)]
pub(crate) struct ExportArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// Where to write: JSON lines
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
}

pub(super) fn export(arguments: &ExportArguments) -> Result<ExitCode> {
    let file = &arguments.file;
    ensure!(
        file.extension().is_none_or(|ending| ending == "jsonl"),
        "{}: a gallery is exported as JSON lines; name a file that ends in .jsonl",
        file.display()
    );
    let written = Gallery::open(&arguments.place)?.export(file)?;
    eprintln!("{}: {}", file.display(), entries(written.entries));
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `siamese gallery import`.
#[derive(Args)]
pub(crate) struct ImportArguments {
    /// The gallery, which is made where there is none: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// What `siamese gallery export` wrote
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
}

pub(super) fn import(arguments: &ImportArguments) -> Result<ExitCode> {
    let ImportArguments { place, file } = arguments;
    let mut gallery = match Gallery::open(place) {
        Err(Error::None { .. }) => Gallery::create_as(place, About::of_export(file)?)?,
        gallery => gallery?,
    };
    let read = gallery.import(file, |_| {})?;
    let known = match read.known {
        0 => String::new(),
        known => format!(", {known} were there already"),
    };
    eprintln!("{place}: {} added{known}", entries(read.entries));
    Ok(ExitCode::SUCCESS)
}
