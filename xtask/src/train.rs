//! `cargo xtask train-cifar100`: from a fresh clone to a trained model and its report.

use std::process::ExitCode;

use anyhow::Result;

use crate::siamese;

pub(crate) const HELP: &str = "\
Trains a Siamese network on CIFAR-100 and leaves a run folder: the model, its figures on the
test images, and report.html to look at.

Usage: cargo xtask train-cifar100 [options]

Without options it takes CIFAR-100 from this machine, else downloads it, else (without a network)
trains on the sample in this repository, and says so.

Options:
  --preset NAME      default: the model to use, in half an hour; quick: in five minutes; best: in
                     four hours
  --data PATH        the hub's parquet files, cifar-100-binary.tar.gz or its unpacked folder
  --source SOURCE    hub: an error rather than the sample; sample: the sample; auto (as it comes)
  --name NAME        name of the run: its folder is runs/NAME in the current folder
  --resume RUN       go on with a run that was stopped, to the very weights it would have had
  --device DEVICE    auto (as it comes), cpu, cuda or cuda:N
  --features LIST    features of the build: cuda for NVIDIA GPUs
  -h, --help         this text

Ctrl-C ends the training after the current step, with a checkpoint to go on from. Everything
but --features is handed to `siamese train cifar100`, which takes more (seed, epochs, learning
rate, margin, distance, early stopping …); it tells by itself:
  $ cargo xtask train-cifar100 -- --help

Examples:
  $ cargo xtask train-cifar100
  $ cargo xtask train-cifar100 --preset quick --data ~/data/cifar-100-binary.tar.gz
  $ cargo xtask train-cifar100 --resume runs/cifar100-quick-1
  $ cargo xtask train-cifar100 --features cuda --device cuda
";

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    // a resumed run knows its data
    let resumes = |arg: &String| arg == "--resume" || arg.starts_with("--resume=");
    let subcommand: &[&str] = match args.iter().any(resumes) {
        true => &["train"],
        false => &["train", "cifar100"],
    };
    siamese::run(subcommand, args)
}
