//! `siamese gallery remove`, `rename`, `check`, `index` and `compact`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use siamese_gallery::{Filter, Gallery};

use super::entries;

/// Arguments of `siamese gallery remove`.
#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// Which: class=NAME, name=NAME, id=NUMBER or KEY=VALUE of the free JSON; all that are given hold together
    #[arg(long = "where", value_name = "class=NAME", required = true)]
    filter: Vec<String>,
}

pub(super) fn remove(arguments: &RemoveArguments) -> Result<ExitCode> {
    let filter = Filter::parse(&arguments.filter)?;
    let mut gallery = Gallery::open(&arguments.place)?;
    let removed = gallery.remove(&filter)?;
    ensure!(
        removed > 0,
        "no entry of {} is so; nothing was removed",
        arguments.place
    );
    eprintln!("{}: {} removed", arguments.place, entries(removed));
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `siamese gallery rename`.
#[derive(Args)]
pub(crate) struct RenameArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// The class as it is called
    from: String,
    /// As it is to be called; where there is one of that name, both become one
    to: String,
}

pub(super) fn rename(arguments: &RenameArguments) -> Result<ExitCode> {
    let RenameArguments { place, from, to } = arguments;
    ensure!(!to.is_empty(), "a class's name is empty");
    let mut gallery = Gallery::open(place)?;
    let joined = gallery.classes()?.contains_key(to) && from != to;
    let renamed = gallery.rename(from, to)?;
    let joined = if joined {
        ", joined with those that were there"
    } else {
        ""
    };
    eprintln!(
        "{place}: {} of {from} are {to} now{joined}",
        entries(renamed)
    );
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `siamese gallery check`.
#[derive(Args)]
pub(crate) struct CheckArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
}

/// Exit code 1 where something is wrong; a source that is gone is told, and harms a rebuild alone.
pub(super) fn check(arguments: &CheckArguments) -> Result<ExitCode> {
    let mut gallery = Gallery::open(&arguments.place)?;
    let wrong = gallery.check()?;
    for what in &wrong {
        println!("wrong: {what}");
    }
    if wrong.is_empty() {
        let mut gone = 0;
        gallery.entries(&Filter::default(), |row| {
            let source = row
                .entry
                .source
                .filter(|source| !Path::new(source).exists());
            if let Some(source) = source {
                gone += 1;
                println!(
                    "source is gone: {source} ({}, id {})",
                    row.entry.name, row.id
                );
            }
            Ok(())
        })?;
        let count: usize = gallery.classes()?.values().sum();
        let sources = match gone {
            0 => String::new(),
            gone => format!("; {gone} could not be embedded anew, their sources are gone"),
        };
        println!("{}: {} sound{sources}", arguments.place, entries(count));
    }
    Ok(ExitCode::from(u8::from(!wrong.is_empty())))
}

/// Arguments of `siamese gallery compact`.
#[derive(Args)]
pub(crate) struct CompactArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
}

pub(super) fn compact(arguments: &CompactArguments) -> Result<ExitCode> {
    let mut gallery = Gallery::open(&arguments.place)?;
    let before = gallery.size()?;
    gallery.compact()?;
    let after = gallery.size()?;
    eprintln!("{}: {before} bytes before, {after} now", arguments.place);
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `siamese gallery index`.
#[derive(Args)]
pub(crate) struct IndexArguments {
    /// The gallery's address
    #[arg(value_name = "GALLERY")]
    place: String,
}

pub(super) fn index(arguments: &IndexArguments) -> Result<ExitCode> {
    let mut gallery = Gallery::open(&arguments.place)?;
    gallery.index()?;
    eprintln!("{}: indexed; it lives on through adds", arguments.place);
    Ok(ExitCode::SUCCESS)
}
