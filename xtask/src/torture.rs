//! `cargo xtask torture`: the tests that break things, at length, and their rows as one table.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{Usage, paths};

pub(crate) const HELP: &str = "\
Breaks trainings and inputs in every way there is a test for, for as long as it is told, and
prints a Markdown table: each fault, how often it was tried, what was lost, what was refused.

Usage: cargo xtask torture [options]

Options:
  --minutes N        fill so many minutes with what is drawn at random (default: 30), half of them
                     with damaged inputs to every parser; what can be tried in full (every write,
                     every disk size) is, and takes the time it takes
  -h, --help         this text

The rows are printed by tests that take SIAMESE_TORTURE=MINUTES from the environment, and by the
example `fuzz` of siamese-cli. The exit code is 0 where nothing was lost.

Examples:
  $ cargo xtask torture
  $ nice cargo xtask torture --minutes 120 > table.md
";

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let each = parse(args)? / 2.0;
    println!("| fault | tried | lost | refused |\n|---|---|---|---|");
    let mut torture = cargo(&["test", "--test", "torture"]);
    torture.args(["--", "--nocapture", "--test-threads", "8"]);
    torture.env("SIAMESE_TORTURE", each.to_string());
    let mut fuzz = Command::new(example("fuzz")?);
    fuzz.args(["--minutes", &each.to_string()]);
    let kept = rows(torture).context("the test torture")?;
    let sound = rows(fuzz).context("the example fuzz")?;
    Ok(ExitCode::from(u8::from(!(kept && sound))))
}

/// Cargo over the workspace, so that most of what its tests have built is used as it is.
fn cargo(what: &[&str]) -> Command {
    let mut cargo = Command::new(paths::cargo());
    cargo.args(what).arg("--workspace");
    cargo
        .arg("--manifest-path")
        .arg(paths::root().join("Cargo.toml"));
    cargo
}

/// An example, built; where it lies.
fn example(name: &str) -> Result<PathBuf> {
    let built = cargo(&["build", "--example", name])
        .status()
        .context("starting cargo")?;
    ensure!(
        built.success(),
        "the example {name} does not build: see above"
    );
    let binary = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    Ok(paths::target().join("debug/examples").join(binary))
}

fn parse(args: &[String]) -> Result<f64> {
    match args {
        [] => Ok(30.0),
        [option, number] if option == "--minutes" => {
            let minutes = number
                .parse()
                .ok()
                .filter(|m: &f64| m.is_finite() && *m >= 0.0);
            Ok(minutes
                .ok_or_else(|| Usage(format!("`--minutes` wants a number, got `{number}`")))?)
        }
        _ => Err(Usage(format!(
            "torture takes `--minutes N` alone, got `{}`",
            args.join(" ")
        ))
        .into()),
    }
}

/// Runs what prints rows and prints these; whether it ended well.
fn rows(mut program: Command) -> Result<bool> {
    let mut child = program
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut printed = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        match row(&line) {
            Some(row) => {
                println!("{row}");
                printed += 1;
            }
            None => eprintln!("{line}"),
        }
    }
    let passed = child.wait()?.success();
    ensure!(printed > 0 || !passed, "it printed no row");
    Ok(passed)
}

/// The row in a line; the test runner may have begun the line with the name of the test.
fn row(line: &str) -> Option<&str> {
    let row = &line[line.find('|')?..];
    let heads = row.contains("---") || row.starts_with("| fault ");
    (!heads && row.ends_with('|') && row.matches(" | ").count() == 3).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_behind_what_the_test_runner_says() {
        let wanted = "| killed | 3 | nothing | – |";
        assert_eq!(row(wanted), Some(wanted));
        assert_eq!(row(&format!("test it_survives ... {wanted}")), Some(wanted));
        assert_eq!(row("| fault | tried | lost | refused |"), None);
        assert_eq!(row("a | b"), None);
        assert_eq!(row("test result: ok. 1 passed"), None);
    }

    #[test]
    fn minutes_are_a_number_and_all_else_is_refused() {
        let parse =
            |words: &[&str]| parse(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>());
        assert_eq!(parse(&[]).unwrap(), 30.0);
        assert_eq!(parse(&["--minutes", "0.5"]).unwrap(), 0.5);
        for wrong in [
            &["--minutes"][..],
            &["--minutes", "NaN"],
            &["--minutes", "-1"],
            &["5"],
        ] {
            assert!(parse(wrong).unwrap_err().is::<Usage>(), "{wrong:?}");
        }
    }
}
