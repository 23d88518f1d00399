//! `siamese gallery …`: what is enrolled.

mod add;
mod change;
mod create;
mod exchange;
mod list;
mod rebuild;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// `siamese gallery …`
#[derive(Subcommand)]
pub(crate) enum GalleryCommand {
    /// Make an empty gallery of a model's embeddings
    Create(create::Arguments),
    /// Enrol pictures: a class per subfolder, or --class NAME
    Add(Box<add::Arguments>),
    /// Remove entries
    Remove(change::RemoveArguments),
    /// Give a class another name
    Rename(change::RenameArguments),
    /// Show the classes, or with --json every entry
    List(list::Arguments),
    /// Say what a gallery is: its model, its size, its threshold
    Info(list::InfoArguments),
    /// Look for damage, and for source files that are gone
    Check(change::CheckArguments),
    /// Write all entries to a file, for another store or program
    Export(exchange::ExportArguments),
    /// Add the entries of an exported file; the gallery is made where there is none
    Import(exchange::ImportArguments),
    /// Make an index for `siamese search --approximate`, in PostgreSQL
    Index(change::IndexArguments),
    /// Give room that is not needed back
    Compact(change::CompactArguments),
    /// Embed all entries anew from their source files
    Rebuild(rebuild::Arguments),
}

/// Runs the command.
pub(crate) fn run(command: &GalleryCommand) -> Result<ExitCode> {
    match command {
        GalleryCommand::Create(arguments) => create::run(arguments),
        GalleryCommand::Add(arguments) => add::run(arguments),
        GalleryCommand::Remove(arguments) => change::remove(arguments),
        GalleryCommand::Rename(arguments) => change::rename(arguments),
        GalleryCommand::List(arguments) => list::run(arguments),
        GalleryCommand::Info(arguments) => list::info(arguments),
        GalleryCommand::Check(arguments) => change::check(arguments),
        GalleryCommand::Export(arguments) => exchange::export(arguments),
        GalleryCommand::Import(arguments) => exchange::import(arguments),
        GalleryCommand::Index(arguments) => change::index(arguments),
        GalleryCommand::Compact(arguments) => change::compact(arguments),
        GalleryCommand::Rebuild(arguments) => rebuild::run(arguments),
    }
}

/// `1 entry`, `2 entries`.
fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".into(),
        count => format!("{count} entries"),
    }
}
