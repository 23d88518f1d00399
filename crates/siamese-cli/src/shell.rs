//! `siamese completions` and `siamese man`: for shells and for `man`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// Arguments of `siamese completions`.
#[derive(Args)]
pub(crate) struct CompletionArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints what the shell reads to complete our commands.
pub(crate) fn completions<C: CommandFactory>(arguments: &CompletionArguments) -> Result<ExitCode> {
    let mut text = Vec::new();
    generate(arguments.shell, &mut C::command(), "siamese", &mut text);
    print!("{}", String::from_utf8_lossy(&text));
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `siamese man`.
#[derive(Args)]
pub(crate) struct ManArguments {
    /// Write a page for every command into this folder, which is made [default: print the first page]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Writes the manual.
pub(crate) fn man<C: CommandFactory>(arguments: &ManArguments) -> Result<ExitCode> {
    let command = C::command();
    match &arguments.folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print!("{}", String::from_utf8_lossy(&page));
        }
        Some(folder) => {
            let written = || -> io::Result<()> {
                std::fs::create_dir_all(folder)?;
                clap_mangen::generate_to(command, folder)
            };
            written().with_context(|| format!("writing to {}", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
