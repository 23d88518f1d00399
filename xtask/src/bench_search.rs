//! `cargo xtask bench search`: exact search of a gallery, ours and FAISS's in turn.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{Usage, paths};

/// Builds our side and hands over to the script, which knows its own options.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let Some(("--peer", [python, options @ ..])) = args
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    else {
        let message = "bench search wants a Python that has numpy and faiss-cpu: \
                       `cargo xtask bench search --peer .venv/bin/python`";
        return Err(Usage(message.into()).into());
    };
    let status = Command::new(paths::cargo())
        .args(["build", "--release", "--package", "siamese-metrics"])
        .args(["--example", "search_rate"])
        .current_dir(paths::root())
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the bench does not build: see above");
    let binary = format!("search_rate{}", std::env::consts::EXE_SUFFIX);
    let status = Command::new(python)
        .arg(paths::root().join("crates/siamese-metrics/benches/search_peers.py"))
        .arg("--program")
        .arg(paths::target().join("release/examples").join(binary))
        .args(options)
        .status()
        .with_context(|| format!("starting {python}"))?;
    Ok(ExitCode::from(u8::from(!status.success())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_peer_it_says_which_it_wants() {
        for args in [&[][..], &["--rounds".to_string(), "3".to_string()]] {
            let error = run(args).map(|_| ()).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains("--peer"));
        }
    }
}
