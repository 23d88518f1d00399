//! `siamese review`: a labelled folder looked through in a browser.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use siamese_serve::Review;

use crate::serve::Network;

/// Arguments of `siamese review`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder with a subfolder per class; what is discarded goes to a folder `discarded` beside it
    folder: PathBuf,
    #[command(flatten)]
    network: Network,
}

/// Runs the command until it is asked to end.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { folder, network } = arguments;
    Review::new(folder, network.config(), network.teller())?.run()?;
    Ok(ExitCode::SUCCESS)
}
