//! `cargo xtask bench search`, `bench embed` and `bench faces`: our example built, and a script that times it beside others in turn.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{Usage, paths};

/// One of the benches.
struct Bench {
    /// As it is called.
    name: &'static str,
    package: &'static str,
    example: &'static str,
    script: &'static str,
    /// What a Python must have.
    wants: &'static str,
}

const BENCHES: [Bench; 3] = [
    Bench {
        name: "search",
        package: "siamese-metrics",
        example: "search_rate",
        script: "crates/siamese-metrics/benches/search_peers.py",
        wants: "numpy and faiss-cpu",
    },
    Bench {
        name: "embed",
        package: "siamese-embed",
        example: "embed_rate",
        script: "crates/siamese-embed/benches/embed_peers.py",
        wants: "numpy, torch, torchvision, onnx and onnxruntime",
    },
    Bench {
        name: "faces",
        package: "siamese-faces",
        example: "faces_rate",
        script: "crates/siamese-faces/benches/faces_peer.py",
        wants: "facenet-pytorch",
    },
];

/// Builds our side and hands over to the script, which knows its own options; `None` where `name` is no such bench.
pub(crate) fn run(name: &str, args: &[String]) -> Option<Result<ExitCode>> {
    let bench = BENCHES.iter().find(|bench| bench.name == name)?;
    Some(bench.run(args))
}

impl Bench {
    fn run(&self, args: &[String]) -> Result<ExitCode> {
        let Some(("--peer", [python, options @ ..])) = args
            .split_first()
            .map(|(first, rest)| (first.as_str(), rest))
        else {
            let (name, wants) = (self.name, self.wants);
            let message = format!(
                "bench {name} wants a Python that has {wants}: `cargo xtask bench {name} --peer .venv/bin/python`"
            );
            return Err(Usage(message).into());
        };
        let status = Command::new(paths::cargo())
            .args(["build", "--release", "--package", self.package])
            .args(["--example", self.example])
            .current_dir(paths::root())
            .status()
            .context("starting cargo")?;
        ensure!(status.success(), "the bench does not build: see above");
        let binary = format!("{}{}", self.example, std::env::consts::EXE_SUFFIX);
        let status = Command::new(python)
            .arg(paths::root().join(self.script))
            .arg("--program")
            .arg(paths::target().join("release/examples").join(binary))
            .args(options)
            .status()
            .with_context(|| format!("starting {python}"))?;
        Ok(ExitCode::from(u8::from(!status.success())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_peer_it_says_which_it_wants() {
        for bench in &BENCHES {
            for args in [&[][..], &["--rounds".to_string(), "3".to_string()]] {
                let error = bench.run(args).map(|_| ()).unwrap_err();
                assert!(error.is::<Usage>() && error.to_string().contains("--peer"));
            }
            assert!(
                paths::root().join(bench.script).is_file(),
                "{}",
                bench.script
            );
        }
        assert!(run("train", &[]).is_none());
    }
}
