//! The `siamese` binary: it assembles, the crates do the work.

mod data;
mod device;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Train a tower; leaves a run folder with model, figures and report
    Train(train::Arguments),
    /// Download a data set
    Fetch(data::FetchArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments),
        Command::Fetch(arguments) => data::fetch(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
