//! The GPU, its driver, and the toolkit to build for it.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Status};
use super::output_of;
use crate::paths;

const TOOLKIT: &str = "install CUDA 12 or 13 from https://developer.nvidia.com/cuda-downloads
or into this folder: eval \"$(bash .ci/cuda-toolchain.sh target/cuda-toolchain)\"";

const CUDNN: &str = "install cuDNN 9 from https://developer.nvidia.com/cudnn
or build without it: --features cuda";

pub(super) fn findings() -> Vec<Finding> {
    let gpu = gpu();
    // Without a GPU nothing of this is missed, so no advice is given.
    let wanted = gpu.status == Status::Good;
    vec![gpu, driver_library(), toolkit(wanted), cudnn(wanted)]
}

/// Whether a build with CUDA and cuDNN can be made and used here.
pub(super) fn ready(findings: &[Finding]) -> bool {
    findings
        .iter()
        .filter(|finding| finding.section == "CUDA")
        .all(|finding| finding.status == Status::Good)
}

fn gpu() -> Finding {
    let query = [
        "--query-gpu=name,memory.total,compute_cap,driver_version",
        "--format=csv,noheader",
    ];
    if let Some(printed) = output_of("nvidia-smi", &query) {
        let gpus: Vec<String> = printed.lines().filter_map(described).collect();
        if !gpus.is_empty() {
            return Finding::new("CUDA", "GPU", Status::Good, gpus.join("; "));
        }
    }
    let found = if paths::on_path("nvidia-smi").is_some() {
        "nvidia-smi sees none"
    } else {
        "none (no nvidia-smi)"
    };
    Finding::new(
        "CUDA",
        "GPU",
        Status::Lacking,
        format!("{found}: training uses the CPU"),
    )
}

/// One line of nvidia-smi's CSV as a person would say it.
fn described(line: &str) -> Option<String> {
    let [name, memory, capability, driver] =
        line.split(", ").collect::<Vec<_>>().try_into().ok()?;
    Some(format!(
        "{name}, {memory}, compute capability {capability}, driver {driver}"
    ))
}

fn driver_library() -> Finding {
    match library("libcuda.so.1") {
        Some(path) => Finding::new("CUDA", "libcuda", Status::Good, path.display().to_string()),
        None => Finding::new(
            "CUDA",
            "libcuda",
            Status::Lacking,
            "not found; it comes with the NVIDIA driver",
        ),
    }
}

fn toolkit(wanted: bool) -> Finding {
    let homes = homes();
    let beside = homes
        .iter()
        .map(|home| home.join("bin").join("nvcc"))
        .find(|path| path.is_file());
    let Some(nvcc) = paths::on_path("nvcc").or(beside) else {
        let finding = Finding::new("CUDA", "nvcc", Status::Lacking, "not found");
        return if wanted {
            finding.advise(TOOLKIT)
        } else {
            finding
        };
    };
    let release =
        output_of(&nvcc.to_string_lossy(), &["--version"]).and_then(|printed| release(&printed));
    let found = format!(
        "{} at {}",
        release.as_deref().unwrap_or("unknown version"),
        nvcc.display()
    );
    let finding = Finding::new("CUDA", "nvcc", Status::Good, found);
    match (paths::on_path("nvcc"), nvcc.parent().and_then(Path::parent)) {
        (None, Some(home)) => finding.advise(format!(
            "put it on PATH: export PATH={}/bin:$PATH",
            home.display()
        )),
        _ => finding,
    }
}

/// `13.0` out of `nvcc --version`.
fn release(printed: &str) -> Option<String> {
    let (_, rest) = printed.split_once("release ")?;
    Some(rest.split(',').next()?.trim().to_string())
}

fn cudnn(wanted: bool) -> Finding {
    let beside = homes()
        .into_iter()
        .flat_map(|home| [home.join("lib64/libcudnn.so"), home.join("lib/libcudnn.so")]);
    match library("libcudnn.so.9").or_else(|| beside.into_iter().find(|path| path.exists())) {
        Some(path) => Finding::new("CUDA", "cuDNN", Status::Good, path.display().to_string()),
        None => {
            let finding = Finding::new("CUDA", "cuDNN", Status::Lacking, "not found");
            if wanted {
                finding.advise(CUDNN)
            } else {
                finding
            }
        }
    }
}

/// Where a CUDA toolkit may be.
fn homes() -> Vec<PathBuf> {
    let named = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"]
        .into_iter()
        .filter_map(paths::variable);
    named
        .chain([PathBuf::from("/usr/local/cuda"), PathBuf::from("/opt/cuda")])
        .collect()
}

/// A shared library, where the dynamic linker would find it.
fn library(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let named = std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    named.or_else(|| {
        cached(
            &output_of("ldconfig", &["-p"]).or_else(|| output_of("/sbin/ldconfig", &["-p"]))?,
            name,
        )
    })
}

/// Reads `ldconfig -p`: `name (kind) => path`.
fn cached(printed: &str, name: &str) -> Option<PathBuf> {
    let line = printed
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name))?;
    Some(PathBuf::from(line.split_once(" => ")?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nvidia_smi_s_csv_becomes_a_sentence() {
        let line = "NVIDIA H200, 143771 MiB, 9.0, 570.124.06";
        let expected = "NVIDIA H200, 143771 MiB, compute capability 9.0, driver 570.124.06";
        assert_eq!(described(line).as_deref(), Some(expected));
        assert_eq!(described("No devices were found"), None);
    }

    #[test]
    fn nvcc_s_release_is_found() {
        let printed = "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\n";
        assert_eq!(release(printed).as_deref(), Some("13.0"));
        assert_eq!(release("nvcc fatal"), None);
    }

    #[test]
    fn the_linker_s_cache_is_searched_by_whole_names() {
        let printed = "2 libs found\n\tlibcudnn.so.9 (libc6,x86-64) => /usr/lib/libcudnn.so.9\n\tlibcuda.so.1 (libc6) => /lib/libcuda.so.1\n";
        assert_eq!(
            cached(printed, "libcuda.so.1"),
            Some(PathBuf::from("/lib/libcuda.so.1"))
        );
        assert_eq!(cached(printed, "libcudnn.so"), None);
    }
}
