//! The `siamese` binary: it assembles, the crates do the work.

#[macro_use]
mod output;

mod called;
mod check;
mod compare;
mod crop;
mod data;
mod device;
mod embed;
mod evaluate;
mod export;
mod faces;
mod gallery;
mod identify;
mod onnx;
mod pictures;
mod probes;
mod review;
mod search;
mod serve;
mod sheet;
mod shell;
mod train;
mod verify;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use siamese_files::is_illegible;

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
    /// Write the embeddings of pictures to a file: .npz, .parquet or .jsonl
    Embed(embed::Arguments),
    /// Say whether two pictures show the same thing, or which of many do
    Verify(verify::Arguments),
    /// Enrol pictures, to identify others and to search among them
    #[command(subcommand)]
    Gallery(gallery::GalleryCommand),
    /// Say of whom or what a gallery holds are pictures, or that they are unknown
    Identify(identify::Arguments),
    /// Find what is nearest to pictures in a gallery
    Search(search::Arguments),
    /// Write a model for other programs: as ONNX, for timm, for the hub, or as a page for a browser
    Export(export::Arguments),
    /// Serve a model as a web page and a JSON API
    Serve(Box<serve::Arguments>),
    /// Look through a labelled folder in a browser, and move or discard what is wrong
    Review(review::Arguments),
    /// Lay runs side by side
    Compare(compare::Arguments),
    /// Download a data set
    Fetch(data::FetchArguments),
    /// Print what a shell reads to complete these commands
    Completions(shell::CompletionArguments),
    /// Print the manual's page, or write all of its pages
    Man(shell::ManArguments),
    /// Look after data sets
    #[command(subcommand)]
    Data(check::DataCommand),
}

fn main() -> ExitCode {
    siamese_train::keep_candle_on_one_thread();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return help(&said),
    };
    if !matches!(arguments.command, Command::Train(_)) {
        sigpipe::reset(); // `siamese … | head` ends quietly; a training goes on, whoever reads
    }
    output::finish(run(&arguments.command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(FAILURE)
    }))
}

fn run(command: &Command) -> Result<ExitCode> {
    outlive_full_files().context("taking over the signal for files that grow too large")?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(threads());
    threads.build_global().context(
        "starting the threads that compute: allow more of them (ulimit -u), or ask for fewer by RAYON_NUM_THREADS=1",
    )?;
    match command {
        Command::Train(arguments) => train::run(arguments),
        Command::New(arguments) => train::new(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Embed(arguments) => embed::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Gallery(command) => gallery::run(command),
        Command::Identify(arguments) => identify::run(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Review(arguments) => review::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Completions(arguments) => shell::completions::<Arguments>(arguments),
        Command::Man(arguments) => shell::man::<Arguments>(arguments),
        Command::Fetch(arguments) => data::fetch(arguments),
        Command::Data(command) => check::run(command),
    }
}

/// Threads that compute: as many as Rayon starts by itself (0), but of several processes on a machine their share.
fn threads() -> usize {
    let told = std::env::var_os("RAYON_NUM_THREADS").is_some();
    let place = siamese_collective::Place::from_env().ok().flatten();
    match place.and_then(|place| place.local_size) {
        Some(processes) if !told => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            (cores / processes).max(1)
        }
        _ => 0,
    }
}

/// A file that outgrows the limit (`ulimit -f`) is an error of the write, not the end of the process.
fn outlive_full_files() -> std::io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default())?;
    Ok(())
}

/// Shows the help that was asked for, or what is wrong with the arguments: in colours, but where an argument would
/// command the terminal.
fn help(said: &clap::Error) -> ExitCode {
    sigpipe::reset();
    if said.kind() == ErrorKind::InvalidUtf8 {
        let mut arguments = std::env::args_os();
        let bad = arguments.find(|argument| argument.to_str().is_none());
        let bad = bad.unwrap_or_default();
        eprintln!(
            "error: the argument {} has bytes that are no UTF-8, which only paths may have",
            bad.display()
        );
        return ExitCode::from(FAILURE);
    }
    let code = ExitCode::from(said.exit_code().try_into().unwrap_or(FAILURE));
    let plain = said.render().to_string();
    if plain.contains(is_illegible) {
        eprint!("{plain}");
        return code;
    }
    match said.print() {
        Ok(()) => output::finish(code),
        Err(error) => output::failure(&error).into(),
    }
}
