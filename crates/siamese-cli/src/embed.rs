//! `siamese embed`: the embeddings of pictures, in a file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use siamese_data::{LeftOut, Pictures, Progress};
use siamese_embed::{Embedder, TableFormat, TableRow, TableWriter, write_table};

use crate::crop::CropArguments;
use crate::device::DeviceChoice;
use crate::pictures::{PictureArguments, say_left_out};

/// Arguments of `siamese embed`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A run's folder or a model file
    model: PathBuf,
    #[command(flatten)]
    pictures: PictureArguments,
    /// Where to write; the ending says how: .npz, .parquet or .jsonl
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    crop: CropArguments,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let output = &arguments.output;
    let format = TableFormat::of(output)?;
    let embedder = arguments
        .crop
        .load(&arguments.model, &arguments.device.open()?)?;
    let pictures = arguments.pictures.open()?;
    if format == TableFormat::Npz {
        check_classes(&pictures)?;
    }
    let dim = embedder.model().tower.config().embedding;
    let (Filled { written, several }, unread) = write_table(output, format, dim, |table| {
        fill(table, &embedder, &pictures)
    })?;
    say_left_out(&unread);
    if several > 0 {
        let photos = siamese_words::counted(several, "photo");
        eprintln!("of several faces the largest was taken, in {photos}");
    }
    let classes = match pictures.classes.len() {
        0 => String::new(),
        1 => " of 1 class".into(),
        classes => format!(" of {classes} classes"),
    };
    eprintln!(
        "{}: {written} embeddings of {dim} numbers{classes}",
        output.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// What was written.
#[derive(Default)]
struct Filled {
    written: usize,
    /// Photos of several faces among them.
    several: usize,
}

/// Writes all pictures that can be read; how many, and the others.
fn fill(
    table: &mut TableWriter,
    embedder: &Embedder,
    pictures: &Pictures,
) -> Result<(Filled, Vec<LeftOut>)> {
    let mut meter = Progress::Stderr.images("embedding", pictures.len() as u64);
    let mut filled = Filled::default();
    let unread = embedder.stream(pictures, None, |embedded| -> Result<()> {
        table.push(TableRow {
            file: &pictures.items[embedded.item].name,
            class: pictures.class_of(embedded.item),
            embedding: &embedded.embedding,
        })?;
        filled.written += 1;
        let several = embedded.face.as_ref().is_some_and(|face| face.of > 1);
        filled.several += usize::from(several);
        meter.set(embedded.item as u64 + 1);
        Ok(())
    })?;
    meter.set(pictures.len() as u64);
    meter.finish();
    let first = unread
        .first()
        .map(|one| format!("; {}: {}", one.what, one.why));
    ensure!(
        filled.written > 0,
        "not one of {} pictures can be embedded{}",
        pictures.len(),
        first.unwrap_or_default()
    );
    Ok((filled, unread))
}

/// An `.npz` holds labels of all its rows or of none.
fn check_classes(pictures: &Pictures) -> Result<()> {
    let items = || pictures.items.iter();
    let without = items().find(|item| item.class.is_none());
    let with = items().find(|item| item.class.is_some());
    match without.zip(with) {
        Some((without, with)) => Err(anyhow::anyhow!(
            "{} has a class, {} has none",
            with.name,
            without.name
        ))
        .context("an .npz holds labels for all or none: write .parquet or .jsonl"),
        None => Ok(()),
    }
}
