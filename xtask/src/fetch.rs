//! `cargo xtask fetch`: data sets, downloaded once.

use std::process::ExitCode;

use anyhow::Result;

use crate::{Usage, siamese};

pub(crate) const HELP: &str = "\
Downloads a data set, checks it and keeps it for every later run.

Usage: cargo xtask fetch <data set> [options]

Data sets:
  cifar100           60,000 images of 100 classes, from the Hugging Face hub (uoft-cs/cifar100)

Options:
  --features LIST    features of the build, as for train-cifar100
  -h, --help         this text

Environment:
  HF_ENDPOINT        another hub than https://huggingface.co
  HF_HOME            where downloads are kept (~/.cache/huggingface)
  HF_TOKEN           a token, where the hub asks for one
  HF_HUB_OFFLINE=1   never touch the network

Everything but --features is handed to `siamese fetch`; all it takes is listed by
  $ cargo xtask fetch -- --help

Examples:
  $ cargo xtask fetch cifar100
  $ HF_ENDPOINT=https://hub.example.org cargo xtask fetch cifar100
";

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    if args.is_empty() {
        let message = "fetch what? `cargo xtask fetch cifar100`, or `cargo xtask fetch --help`";
        return Err(Usage(message.to_string()).into());
    }
    siamese::run(&["fetch"], args)
}
