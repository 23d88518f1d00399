//! The `siamese` binary: it assembles, the crates do the work.

#[macro_use]
mod output;

mod called;
mod check;
mod compare;
mod data;
mod device;
mod evaluate;
mod train;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::FAILURE;

/// Training allocates the same large buffers step after step; mimalloc keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Learn image similarity: train a Siamese network, verify, search.
#[derive(Parser)]
#[command(name = "siamese", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train on any labelled pictures; leaves a run folder with model, figures and report
    Train(Box<train::Arguments>),
    /// Write a commented configuration to edit, for `siamese train FILE.toml`
    New(Box<train::NewArguments>),
    /// Say how good a model is, or an embedding from anywhere
    Evaluate(Box<evaluate::Arguments>),
    /// Say whether two pictures show the same thing
    Verify(verify::Arguments),
    /// Lay runs side by side
    Compare(compare::Arguments),
    /// Download a data set
    Fetch(data::FetchArguments),
    /// Look after data sets
    #[command(subcommand)]
    Data(check::DataCommand),
}

fn main() -> ExitCode {
    sigpipe::reset(); // `siamese … | head` ends quietly
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return output::help(&said),
    };
    let result = match arguments.command {
        Command::Train(arguments) => train::run(&arguments),
        Command::New(arguments) => train::new(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Fetch(arguments) => data::fetch(&arguments),
        Command::Data(command) => check::run(&command),
    };
    output::finish(result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(FAILURE)
    }))
}
