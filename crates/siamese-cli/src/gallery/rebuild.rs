//! `siamese gallery rebuild`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use siamese_gallery::{Gallery, RebuildOptions};

use super::entries;
use crate::crop::CropArguments;
use crate::device::DeviceChoice;
use crate::pictures::say_left_out;
use crate::probes::meter;

/// Arguments of `siamese gallery rebuild`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// The model to embed by: a run's folder or a model file
    #[arg(long)]
    model: PathBuf,
    /// Remove entries whose source files are gone, in place of changing nothing
    #[arg(long)]
    remove_missing: bool,
    #[command(flatten)]
    crop: CropArguments,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut gallery = Gallery::open(&arguments.place)?;
    let embedder = arguments
        .crop
        .load(&arguments.model, &arguments.device.open()?)?;
    let count: usize = gallery.classes()?.values().sum();
    let mut meter = meter("embedding", count);
    let options = RebuildOptions {
        remove_missing: arguments.remove_missing,
    };
    let rebuilt = gallery.rebuild(&embedder, options, |done| meter.set(done as u64))?;
    meter.finish();
    say_left_out(&rebuilt.removed);
    for name in &rebuilt.changed {
        eprintln!("  its file has changed since it was added: {name}");
    }
    let removed = match rebuilt.removed.len() {
        0 => String::new(),
        removed => format!(", {removed} removed"),
    };
    eprintln!(
        "{}: {} embedded anew by {}{removed}",
        arguments.place,
        entries(rebuilt.entries),
        arguments.model.display()
    );
    Ok(ExitCode::SUCCESS)
}
