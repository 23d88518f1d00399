//! `siamese gallery create`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use siamese_embed::Embedder;
use siamese_gallery::{About, Gallery};

use crate::called::command;
use crate::device::DeviceChoice;

/// Arguments of `siamese gallery create`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder, which is made, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// A run's folder or a model file
    #[arg(long)]
    model: PathBuf,
    /// Keep the first so many numbers of each embedding alone: for a model trained by an objective `matryoshka`
    #[arg(long, value_name = "N")]
    dims: Option<usize>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = &arguments.place;
    let embedder = Embedder::load(&arguments.model, &arguments.device.open()?)?;
    let mut about = About::of(&embedder)?;
    if let Some(dims) = arguments.dims {
        about = about.shortened(dims)?;
    }
    let gallery = Gallery::create_as(place, about)?;
    let model = &gallery.about().model;
    eprintln!(
        "{place}: a gallery of {} numbers each, compared by {} distance",
        model.dim,
        model.metric()
    );
    eprintln!("now  {}", command(["gallery", "add", place, "photos/"]));
    Ok(ExitCode::SUCCESS)
}
