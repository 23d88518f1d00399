//! Runs the `siamese` binary, built in release mode, in the caller's folder.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use siamese_files::quoted;

use crate::{Usage, paths, style};

/// The program's commands that are commands here as well.
pub(crate) const COMMANDS: [&str; 12] = [
    "train",
    "new",
    "evaluate",
    "verify",
    "embed",
    "gallery",
    "identify",
    "search",
    "compare",
    "data",
    "completions",
    "man",
];

/// Builds `siamese` and runs `siamese SUBCOMMAND… ARGS…`: its exit code is ours.
///
/// `--features LIST` among the arguments goes to the build; everything else, and all that follows a leading `--`,
/// goes to the program.
pub(crate) fn run(subcommand: &[&str], args: &[String]) -> Result<ExitCode> {
    let (features, args) = split_features(args)?;
    if features.is_none() && asks_for_cuda(&args) {
        let message = "`--device cuda` wants a build with CUDA: add `--features cuda`; `cargo xtask doctor` tells \
                       what this machine has";
        return Err(Usage(message.to_string()).into());
    }
    let mut shown = vec!["cargo", "run", "--release", "--package", "siamese-cli"];
    if let Some(features) = &features {
        shown.extend(["--features", features]);
    }
    shown.push("--");
    shown.extend(subcommand);
    shown.extend(args.iter().map(String::as_str));

    let style = style::stderr();
    eprintln!("{}", style.dim(&format!("$ {}", shell(&shown))));
    if !binary().exists() {
        eprintln!(
            "{}",
            style.dim("The first build takes a few minutes; later ones take seconds.")
        );
    }

    let mut cargo = Command::new(paths::cargo());
    // The manifest is named in full because the caller may stand anywhere; cargo keeps the caller's folder.
    cargo
        .args(["run", "--manifest-path"])
        .arg(paths::root().join("Cargo.toml"))
        .args(&shown[2..]);
    // so that the commands which the program tells to type work here
    cargo.env("SIAMESE_CALLED_AS", "cargo xtask");
    become_child(cargo).context("starting cargo")
}

/// Builds the program, so that no run waits for cargo; where it is.
pub(crate) fn build(features: Option<&str>) -> Result<PathBuf> {
    let status = Command::new(paths::cargo())
        .args([
            "build",
            "--release",
            "--package",
            "siamese-cli",
            "--manifest-path",
        ])
        .arg(paths::root().join("Cargo.toml"))
        .args(features.iter().flat_map(|list| ["--features", list]))
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "siamese does not build: see above");
    Ok(binary())
}

/// Where a build leaves the program.
fn binary() -> PathBuf {
    let name = format!("siamese{}", std::env::consts::EXE_SUFFIX);
    paths::target().join("release").join(name)
}

/// Takes `--features LIST` and `--features=LIST` out of the arguments.
fn split_features(args: &[String]) -> Result<(Option<String>, Vec<String>)> {
    if let Some(("--", rest)) = args
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return Ok((None, rest.to_vec()));
    }
    let (mut features, mut rest) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--features" || arg == "-F" {
            let list = args.next().filter(|list| !list.starts_with('-'));
            let missing =
                || Usage("`--features` wants a list, such as `--features cuda`".to_string());
            features.push(list.ok_or_else(missing)?.clone());
        } else if let Some(list) = arg.strip_prefix("--features=") {
            features.push(list.to_string());
        } else {
            rest.push(arg.clone());
        }
    }
    Ok(((!features.is_empty()).then(|| features.join(",")), rest))
}

fn asks_for_cuda(args: &[String]) -> bool {
    let pairs = args
        .windows(2)
        .any(|pair| pair[0] == "--device" && pair[1].starts_with("cuda"));
    pairs || args.iter().any(|arg| arg.starts_with("--device=cuda"))
}

/// The command line as a shell would take it.
pub(crate) fn shell(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// Replaces this process, so that Ctrl-C, other signals and the exit code are the program's own affair: training
/// then ends cleanly, with a checkpoint, before the shell's prompt returns.
#[cfg(unix)]
fn become_child(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

/// Runs the command and returns its exit code.
#[cfg(not(unix))]
fn become_child(mut command: Command) -> Result<ExitCode> {
    let code = command
        .status()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn features_go_to_the_build_and_all_else_to_the_program() {
        let args = strings(&[
            "--data",
            "my dir",
            "--features",
            "cuda",
            "--preset=quick",
            "--features=profiling",
            "-v",
        ]);
        let (features, rest) = split_features(&args).unwrap();
        assert_eq!(features.as_deref(), Some("cuda,profiling"));
        assert_eq!(rest, strings(&["--data", "my dir", "--preset=quick", "-v"]));
        assert_eq!(split_features(&[]).unwrap(), (None, vec![]));
    }

    #[test]
    fn what_follows_a_leading_double_dash_is_the_programs() {
        let (features, rest) =
            split_features(&strings(&["--", "--help", "--features", "x"])).unwrap();
        assert_eq!(
            (features, rest),
            (None, strings(&["--help", "--features", "x"]))
        );
    }

    #[test]
    fn features_without_a_list_is_an_error() {
        for args in [&["--features"][..], &["--features", "--preset"]] {
            assert!(split_features(&strings(args)).unwrap_err().is::<Usage>());
        }
    }

    #[test]
    fn only_an_explicit_cuda_device_asks_for_a_build_with_cuda() {
        for args in [
            &["--device", "cuda"][..],
            &["--device", "cuda:1"],
            &["--device=cuda:0"],
        ] {
            assert!(asks_for_cuda(&strings(args)), "{args:?}");
        }
        for args in [
            &["--device", "auto"][..],
            &["--name", "cuda"],
            &["--device=cpu"],
            &["--device"],
        ] {
            assert!(!asks_for_cuda(&strings(args)), "{args:?}");
        }
    }

    #[test]
    fn the_shown_command_can_be_pasted_into_a_shell() {
        assert_eq!(
            shell(&["cargo", "run", "--name=a b", "it's", ""]),
            r"cargo run '--name=a b' 'it'\''s' ''"
        );
    }
}
