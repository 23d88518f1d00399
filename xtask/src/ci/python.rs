//! The gate's Python step: the package as the workspace's build makes it, under pytest.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Outcome;
use crate::paths;

/// A Python that has NumPy and pytest already.
const PYTHON: &str = "SIAMESE_PYTHON";
const WANTED: &str = "import numpy, pytest";

/// Runs the package's tests with the Python that `SIAMESE_PYTHON` names, or, with CI set, with one that PyPI fills.
pub(super) fn check() -> Result<Outcome> {
    let venv = paths::target().join("python");
    let python = match paths::variable(PYTHON) {
        Some(python) => python,
        None => venv.join("bin/python"),
    };
    if !has(&python, WANTED) {
        if paths::variable("CI").is_none() {
            return Ok(Outcome::Skipped(format!(
                "{PYTHON} names no Python with NumPy and pytest; with CI set they are installed"
            )));
        }
        if !install(&venv) {
            return Ok(Outcome::Skipped("no NumPy and pytest to be had".into()));
        }
    }
    // with the tests' dependencies, so that nothing is built again with other features
    let built = super::cargo(
        &["build", "--workspace", "--lib", "--tests", "--locked"],
        &[],
    )?;
    if !matches!(built, Outcome::Passed(_)) {
        return Ok(built);
    }
    let package = staged()?;
    let status = Command::new(&python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .arg(paths::root().join("crates/siamese-python/tests"))
        .env("PYTHONPATH", package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()
        .context("starting pytest")?;
    Ok(match status.success() {
        true => Outcome::Passed(String::new()),
        false => Outcome::Failed(format!("pytest ended with {status}")),
    })
}

fn has(python: &Path, wanted: &str) -> bool {
    let asked = Command::new(python).args(["-c", wanted]).output();
    asked.is_ok_and(|output| output.status.success())
}

/// A Python of its own with what the tests want; whether that could be had.
fn install(venv: &Path) -> bool {
    let run = |program: &Path, args: &[&OsStr]| {
        let status = Command::new(program).args(args).status();
        status.is_ok_and(|status| status.success())
    };
    let python = venv.join("bin/python");
    let words = |words: &'static str| words.split(' ').map(OsStr::new);
    let make: Vec<_> = words("-m venv").chain([venv.as_os_str()]).collect();
    let fill: Vec<_> = words("-m pip install -q numpy pytest").collect();
    (python.exists() || run(Path::new("python3"), &make)) && run(&python, &fill)
}

/// The package's Python files beside the library; the folder to import it from.
fn staged() -> Result<PathBuf> {
    let stage = paths::target().join("tmp/python");
    let package = stage.join("siamese");
    std::fs::create_dir_all(&package)?;
    let source = paths::root().join("crates/siamese-python/python/siamese");
    for file in ["__init__.py", "__init__.pyi", "py.typed"] {
        std::fs::copy(source.join(file), package.join(file)).with_context(|| file.to_string())?;
    }
    let prefix = std::env::consts::DLL_PREFIX;
    let library = format!("{prefix}_siamese{}", std::env::consts::DLL_SUFFIX);
    let library = paths::target().join("debug").join(library);
    ensure!(library.is_file(), "{} was not built", library.display());
    let suffix = if cfg!(windows) { "pyd" } else { "abi3.so" };
    std::fs::copy(&library, package.join(format!("_siamese.{suffix}")))?;
    Ok(stage)
}
