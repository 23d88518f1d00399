//! `cargo xtask`: train, fetch, doctor, ci, bench and reproduce, in one place.
//!
//! An xtask only *spawns*: cargo, the `siamese` binary, a script. It never links Candle, so that it is built in
//! seconds and its help is on the screen before anything heavy starts.

// one file for both programs: the standard library's prints panic on a full device
#[macro_use]
#[path = "../../crates/siamese-cli/src/output.rs"]
#[allow(dead_code)] // some of it only the binary says
mod output;

mod bench;
mod bench_peers;
mod cargo;
mod ci;
mod dist;
mod doctor;
mod fetch;
mod help;
mod objectives;
mod page;
mod paths;
mod reproduce;
mod siamese;
mod style;
mod suggest;
mod torture;
mod train;

use std::process::ExitCode;

use anyhow::Result;

/// One `cargo xtask` command; the table below is all that dispatch and help know.
struct Command {
    name: &'static str,
    group: &'static str,
    summary: &'static str,
    example: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "train-cifar100",
        group: "Start here",
        summary: "train a model on CIFAR-100 and draw a report to look at",
        example: "cargo xtask train-cifar100 --preset quick",
        help: train::HELP,
        run: train::run,
    },
    Command {
        name: "fetch",
        group: "Start here",
        summary: "download a data set, once; a broken download resumes",
        example: "cargo xtask fetch cifar100",
        help: fetch::HELP,
        run: fetch::run,
    },
    Command {
        name: "doctor",
        group: "Start here",
        summary: "what this machine has: cores, SIMD, CUDA, disk, data",
        example: "cargo xtask doctor",
        help: doctor::HELP,
        run: doctor::run,
    },
    Command {
        name: "ci",
        group: "Work on it",
        summary: "the gate: format, lints, documentation, tests, CUDA code",
        example: "cargo xtask ci fmt clippy",
        help: ci::HELP,
        run: ci::run,
    },
    Command {
        name: "bench",
        group: "Work on it",
        summary: "time a training step or a search, others' beside ours",
        example: "cargo xtask bench train",
        help: bench::HELP,
        run: bench::run,
    },
    Command {
        name: "reproduce",
        group: "Work on it",
        summary: "train and measure a published system over several seeds",
        example: "cargo xtask reproduce att-faces",
        help: reproduce::HELP,
        run: reproduce::run,
    },
    Command {
        name: "objectives",
        group: "Work on it",
        summary: "every objective for the same time on the same data, in a table",
        example: "cargo xtask objectives --set cifar100 --time 10m",
        help: objectives::HELP,
        run: objectives::run,
    },
    Command {
        name: "page",
        group: "Work on it",
        summary: "a siamese that writes pages for browsers, by WebAssembly",
        example: "cargo xtask page",
        help: page::HELP,
        run: page::run,
    },
    Command {
        name: "dist",
        group: "Work on it",
        summary: "a release: static program, man pages, completions, checksums",
        example: "cargo xtask dist",
        help: dist::HELP,
        run: dist::run,
    },
    Command {
        name: "torture",
        group: "Work on it",
        summary: "kills, full disks, closed streams: what a run loses by them",
        example: "cargo xtask torture --minutes 30",
        help: torture::HELP,
        run: torture::run,
    },
];

/// A mistake in the command line: told without a chain of causes, exit code 2.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    sigpipe::reset(); // `cargo xtask … | head` ends quietly
    match dispatch() {
        Ok(code) => output::finish(code),
        Err(error) => {
            let style = style::stderr();
            eprintln!("{} {error:#}", style.red("error:"));
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let args = std::env::args_os()
        .skip(1)
        .map(|arg| {
            arg.into_string()
                .map_err(|arg| Usage(format!("argument {arg:?} is not UTF-8")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let Some((name, rest)) = args.split_first() else {
        return help::overview();
    };
    match (name.as_str(), rest.first()) {
        ("help", Some(topic)) => return help::of(command(topic)?),
        ("help" | "--help" | "-h", _) => return help::overview(),
        _ => {}
    }
    if siamese::COMMANDS.contains(&name.as_str()) {
        return siamese::run(&[name], rest);
    }
    let command = command(name)?;
    // What follows a lone `--` belongs to the program that is run, a `--help` there included.
    let ours = rest.iter().take_while(|arg| *arg != "--");
    if ours.into_iter().any(|arg| arg == "--help" || arg == "-h") {
        return help::of(command);
    }
    (command.run)(rest)
}

fn command(name: &str) -> Result<&'static Command> {
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return Ok(command);
    }
    let names = COMMANDS.iter().map(|command| command.name);
    let hint = match suggest::nearest(name, names.chain(siamese::COMMANDS)) {
        Some(near) => format!("did you mean `cargo xtask {near}`?"),
        None => "`cargo xtask` alone lists the commands".to_string(),
    };
    Err(Usage(format!("no command `{name}`: {hint}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_names_the_nearest_one() {
        for (typed, meant) in [
            ("docter", "doctor"),
            ("train-cifar", "train-cifar100"),
            ("verfiy", "verify"),
        ] {
            let error = command(typed).map(|_| ()).unwrap_err();
            assert!(error.is::<Usage>());
            assert!(
                error.to_string().contains(&format!("cargo xtask {meant}")),
                "{error}"
            );
        }
    }

    #[test]
    fn every_command_has_an_example_and_a_help_of_its_own() {
        for command in COMMANDS {
            assert!(
                command
                    .example
                    .starts_with(&format!("cargo xtask {}", command.name))
            );
            let usage = format!("Usage: cargo xtask {}", command.name);
            assert!(command.help.contains(&usage), "{}", command.name);
        }
    }
}
