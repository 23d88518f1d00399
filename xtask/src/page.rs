//! `cargo xtask page`: a `siamese` that writes pages, from the model's code compiled to WebAssembly.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{Usage, cargo, paths};

pub(crate) const HELP: &str = "\
Builds what `siamese export MODEL --page OUT.html` puts into a page, the model's code as
WebAssembly, and then a `siamese` that has it inside.

Usage: cargo xtask page [options]

Wanted is the target wasm32-unknown-unknown: rustup target add wasm32-unknown-unknown. The default
build of `siamese` does without both, and says so when it is asked for a page.

Options:
  --wasm-only        the WebAssembly alone: the page's browser test wants no more
  -h, --help         this text

Examples:
  $ cargo xtask page
  $ target/release/siamese export runs/cifar100 --page compare.html
";

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const ADD: &str = "rustup target add wasm32-unknown-unknown";

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let wasm_only = match args {
        [] => false,
        [one] if one == "--wasm-only" => true,
        [other, ..] => {
            let message = format!("no option `{other}`: there is --wasm-only");
            return Err(Usage(message).into());
        }
    };
    if !has_target() {
        bail!("this Rust cannot compile to WebAssembly yet: {ADD}");
    }
    let wasm = build_wasm()?;
    cargo::tell(&wasm)?;
    if !wasm_only {
        cargo::tell(&build_siamese(&wasm)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the standard library for [`TARGET`] is installed for the compiler in use.
pub(crate) fn has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(paths::root())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let folder = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    folder.is_ok_and(|folder| !folder.is_empty() && Path::new(&folder).is_dir())
}

fn build_wasm() -> Result<PathBuf> {
    let args = [
        "--package",
        "siamese-wasm",
        "--target",
        TARGET,
        "--profile",
        "wasm",
        "--lib",
    ];
    // flags from outside would replace those of .cargo/config.toml, which name the vector instructions
    cargo::build(&args, |command| command.env_remove("RUSTFLAGS"))?;
    Ok(paths::target().join(TARGET).join("wasm/siamese_wasm.wasm"))
}

fn build_siamese(wasm: &Path) -> Result<PathBuf> {
    let args = [
        "--package",
        "siamese-cli",
        "--release",
        "--features",
        "page",
    ];
    cargo::build(&args, |command| command.env("SIAMESE_WASM", wasm))?;
    let name = format!("siamese{}", std::env::consts::EXE_SUFFIX);
    Ok(paths::target().join("release").join(name))
}
