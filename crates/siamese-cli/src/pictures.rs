//! Pictures on the command line: files, folders, tables, and what standard input lists.

use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, stdin};

use anyhow::{Context, Result, ensure};
use clap::Args;
use siamese_data::{LeftOut, OpenOptions, Pictures};

/// Pictures to use a model on.
#[derive(Args)]
pub(crate) struct PictureArguments {
    /// Pictures, folders of pictures or of class folders, tables, archives, sets by name; - reads paths from standard
    /// input, one a line
    #[arg(value_name = "PICTURES", required = true)]
    places: Vec<OsString>,
}

impl PictureArguments {
    /// Lists them, and tells what was passed over.
    pub(crate) fn open(&self) -> Result<Pictures> {
        let pictures = Pictures::open(&expanded(&self.places)?, &OpenOptions::default())?;
        say_left_out(&pictures.left_out);
        Ok(pictures)
    }
}

/// The places, with the lines of standard input where `-` stands.
pub(crate) fn expanded(places: &[OsString]) -> Result<Vec<OsString>> {
    let mut all = Vec::new();
    for place in places {
        match place == "-" {
            true => all.extend(lines()?.into_iter().map(OsString::from)),
            false => all.push(place.clone()),
        }
    }
    ensure!(!all.is_empty(), "standard input names no picture");
    Ok(all)
}

/// The lines of standard input that are not blank.
fn lines() -> Result<Vec<String>> {
    if stdin().is_terminal() {
        eprintln!("reading paths from standard input, one a line; end with Ctrl-D");
    }
    let lines = stdin().lock().lines();
    let lines: Vec<String> = lines
        .collect::<Result<_, _>>()
        .context("reading standard input")?;
    Ok(lines.into_iter().filter(|line| !line.is_empty()).collect())
}

/// Names all that was left out, and says how many they are.
pub(crate) fn say_left_out(left_out: &[LeftOut]) {
    for left in left_out {
        eprintln!("  left out: {}: {}", left.what, left.why);
    }
    if left_out.len() > 1 {
        eprintln!("  {} left out", left_out.len());
    }
}
