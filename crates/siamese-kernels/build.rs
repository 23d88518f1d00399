//! With the feature `cuda`, compiles the GPU kernels to PTX: code that the driver of any NVIDIA GPU
//! since Turing finishes for its own.

use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = "src/gpu/kernels";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    for name in ["CUDA_HOME", "CUDA_PATH", "NVCC"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let homes = ["CUDA_HOME", "CUDA_PATH"].iter();
    let nvcc = std::env::var_os("NVCC")
        .map(PathBuf::from)
        .into_iter()
        .chain(
            homes
                .filter_map(std::env::var_os)
                .map(|home| PathBuf::from(home).join("bin/nvcc")),
        )
        .find(|path| path.exists())
        .unwrap_or("nvcc".into());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let run = Command::new(&nvcc)
        .args(["--ptx", "-O3", "-arch=compute_75", "-o"])
        .arg(out.join("kernels.ptx"))
        .arg(format!("{FOLDER}/kernels.cu"))
        .output();
    let run = run.unwrap_or_else(|error| {
        panic!(
            "{}: {error}: the feature `cuda` needs the CUDA toolkit; set CUDA_HOME to its folder",
            nvcc.display()
        )
    });
    assert!(
        run.status.success(),
        "{} failed:\n{}",
        nvcc.display(),
        String::from_utf8_lossy(&run.stderr)
    );
}
