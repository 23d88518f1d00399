//! `cargo build`, and what came of it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{paths, style};

/// Runs `cargo build` at the root, shown first.
pub(crate) fn build(args: &[&str], with: impl Fn(&mut Command) -> &mut Command) -> Result<()> {
    let shown = format!("$ cargo build {}", args.join(" "));
    eprintln!("{}", style::stderr().dim(&shown));
    let mut command = Command::new(paths::cargo());
    command
        .current_dir(paths::root())
        .args(["build", "--locked"])
        .args(args);
    let status = with(&mut command).status().context("starting cargo")?;
    ensure!(status.success(), "it does not build: see above");
    Ok(())
}

/// Says where a file lies, and how large it is.
pub(crate) fn tell(path: &Path) -> Result<()> {
    let bytes = path
        .metadata()
        .with_context(|| format!("reading {}", path.display()))?
        .len();
    println!("{}: {:.1} MB", paths::display(path), bytes as f64 / 1e6);
    Ok(())
}
