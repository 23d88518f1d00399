//! The gate's CUDA step: the GPU code compiles, and is linted, on a machine that need not have a GPU.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use super::Outcome;
use crate::{doctor, paths, style};

/// The environment to compile with, or why there is none.
type Toolchain = Result<Vec<(&'static str, OsString)>, String>;

/// Compute capability to compile for where no GPU says which: 9.0, Hopper.
const COMPUTE_CAP: &str = "90";

/// What a toolchain (1.7 GB, and its wheels while unpacking) and a build with it may take, in GB.
const DISK_GB: f64 = 8.0;

/// Lints every target with the `cuda` and `nccl` features. A missing toolchain skips the step; code that does not compile fails it.
pub(super) fn check(fetch: bool) -> Result<Outcome> {
    let mut environment = match toolchain(fetch) {
        Ok(environment) => environment,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    if paths::variable("CUDA_COMPUTE_CAP").is_none() && paths::on_path("nvidia-smi").is_none() {
        environment.push(("CUDA_COMPUTE_CAP", COMPUTE_CAP.into()));
    }
    let features = "siamese-cli/nccl";
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--features",
        features,
        "--",
        "-D",
        "warnings",
    ];
    super::cargo(&args, &environment)
}

fn toolchain(fetch: bool) -> Toolchain {
    if paths::on_path("nvcc").is_some() {
        return Ok(Vec::new());
    }
    if paths::on_path("c++")
        .or_else(|| paths::on_path("g++"))
        .is_none()
    {
        return Err("nvcc would need a C++ compiler, and there is none".to_string());
    }
    if let Some(home) = paths::variable("CUDA_HOME").filter(|home| home.join("bin/nvcc").is_file())
    {
        return environment(&home);
    }
    let dir = paths::target().join("cuda-toolchain");
    if !dir.join(".complete").is_file() {
        if !fetch {
            return Err(
                "no nvcc; `cargo xtask ci cuda --fetch-cuda` installs one (1.7 GB) into target/"
                    .to_string(),
            );
        }
        install(&dir)?;
    }
    environment(&dir.join("nvidia/cu13"))
}

/// Runs the script that installs NVIDIA's wheels from PyPI; a network or Python that is not there is no failure.
fn install(dir: &Path) -> Result<(), String> {
    if !cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        return Err("no nvcc, and NVIDIA's wheels are for Linux".to_string());
    }
    if let Some(free) = doctor::free_gb(paths::root()).filter(|free| *free < DISK_GB) {
        return Err(format!(
            "no nvcc, and {free:.1} GB of free disk do not hold one ({DISK_GB} GB wanted)"
        ));
    }
    let script = paths::root().join(".ci/cuda-toolchain.sh");
    let shown = format!("$ bash .ci/cuda-toolchain.sh {}", paths::display(dir));
    println!("{}", style::stdout().dim(&shown));
    let output = Command::new("bash")
        .arg(script)
        .arg(dir)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("no nvcc, and bash does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let last = told
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    Err(format!(
        "no nvcc, and none to be had from PyPI: {}",
        last.trim()
    ))
}

fn environment(home: &Path) -> Toolchain {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(home.join("bin"))
        .chain(std::env::split_paths(&path))
        .collect::<Vec<PathBuf>>();
    let path = std::env::join_paths(folders)
        .map_err(|error| format!("PATH cannot hold {}: {error}", home.display()))?;
    Ok(vec![
        ("CUDA_HOME", home.into()),
        ("CUDA_PATH", home.into()),
        ("PATH", path),
    ])
}
