//! Cores, SIMD, memory, disk, Rust and the C compiler.

use std::path::Path;

use super::finding::{Finding, Status};
use super::output_of;
use crate::paths;

/// Free disk that a release build (about 2 GB), the data and a few runs want, in GB.
const WANTED_DISK_GB: f64 = 5.0;

/// Memory below which linking and training may be killed, in GiB.
const WANTED_MEMORY_GIB: f64 = 4.0;

/// Bytes in a GiB.
const GIB: f64 = (1_u64 << 30) as f64;

pub(super) fn findings() -> Vec<Finding> {
    vec![cpu(), simd(), memory(), disk(), rust(), c_compiler()]
}

fn cpu() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plural = if cores == 1 { "core" } else { "cores" };
    let model = cpu_model()
        .map(|model| format!(", {model}"))
        .unwrap_or_default();
    Finding::new(
        "Machine",
        "CPU",
        Status::Good,
        format!("{cores} {plural}{model}, {}", std::env::consts::ARCH),
    )
}

pub(crate) fn cpu_model() -> Option<String> {
    if cfg!(target_os = "macos") {
        return Some(
            output_of("sysctl", &["-n", "machdep.cpu.brand_string"])?
                .trim()
                .to_string(),
        );
    }
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

fn simd() -> Finding {
    let has = simd_extensions();
    let finding = |status| {
        let list = if has.is_empty() {
            "none that the kernels know".to_string()
        } else {
            has.join(", ")
        };
        Finding::new("Machine", "SIMD", status, list)
    };
    let fast = ["AVX2", "FMA"].iter().all(|name| has.contains(name)) || has.contains(&"NEON");
    if fast {
        finding(Status::Good)
    } else {
        finding(Status::Lacking).advise(
            "the portable kernels serve here: same results, slower (AVX2 and FMA are the fast way)",
        )
    }
}

#[cfg(target_arch = "x86_64")]
fn simd_extensions() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let known = [
        ("AVX2", has!("avx2")),
        ("FMA", has!("fma")),
        ("AVX-512 F", has!("avx512f")),
        ("AVX-512 VNNI", has!("avx512vnni")),
        ("AVX-512 BF16", has!("avx512bf16")),
    ];
    known
        .into_iter()
        .filter_map(|(name, here)| here.then_some(name))
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn simd_extensions() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let known = [
        ("NEON", has!("neon")),
        ("BF16", has!("bf16")),
        ("SVE", has!("sve")),
    ];
    known
        .into_iter()
        .filter_map(|(name, here)| here.then_some(name))
        .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd_extensions() -> Vec<&'static str> {
    Vec::new()
}

fn memory() -> Finding {
    let Some((total, available)) = memory_gib() else {
        return Finding::new("Machine", "memory", Status::Lacking, "could not be told");
    };
    let free = available
        .map(|gib| format!(", {gib:.1} GiB available"))
        .unwrap_or_default();
    let found = format!("{total:.1} GiB{free}");
    if available.unwrap_or(total) < WANTED_MEMORY_GIB {
        let advice = format!(
            "below {WANTED_MEMORY_GIB} GiB a build or a training may be killed: close something, or build with -j1"
        );
        Finding::new("Machine", "memory", Status::Lacking, found).advise(advice)
    } else {
        Finding::new("Machine", "memory", Status::Good, found)
    }
}

/// Total and, where known, available memory, within the limit of the container that we may be in.
fn memory_gib() -> Option<(f64, Option<f64>)> {
    if cfg!(target_os = "macos") {
        let bytes: f64 = output_of("sysctl", &["-n", "hw.memsize"])?
            .trim()
            .parse()
            .ok()?;
        return Some((bytes / GIB, None));
    }
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo_gib(&info, "MemTotal:")?;
    let available = meminfo_gib(&info, "MemAvailable:");
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    match limit
        .and_then(|limit| limit.trim().parse::<f64>().ok())
        .map(|bytes| bytes / GIB)
    {
        Some(limit) if limit < total => Some((limit, available.map(|gib| gib.min(limit)))),
        _ => Some((total, available)),
    }
}

fn meminfo_gib(info: &str, key: &str) -> Option<f64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / GIB)
}

fn disk() -> Finding {
    let Some(free) = free_gb(paths::root()) else {
        return Finding::new("Machine", "free disk", Status::Lacking, "could not be told");
    };
    let found = format!("{free:.1} GB where the repository is");
    if free < WANTED_DISK_GB {
        let advice = format!("a release build, the data and a few runs want {WANTED_DISK_GB} GB");
        Finding::new("Machine", "free disk", Status::Lacking, found).advise(advice)
    } else {
        Finding::new("Machine", "free disk", Status::Good, found)
    }
}

/// Free disk at `path` in GB, as `df` tells it.
pub(crate) fn free_gb(path: &Path) -> Option<f64> {
    df_free_gb(&output_of("df", &["-Pk", path.to_str()?])?)
}

/// Reads `df -Pk`: device, blocks, used, available; the device may hold spaces, so the columns are told from the `%`.
fn df_free_gb(output: &str) -> Option<f64> {
    let words: Vec<&str> = output.lines().nth(1)?.split_whitespace().collect();
    let percent = words.iter().position(|word| word.ends_with('%'))?;
    let kib: f64 = words.get(percent.checked_sub(1)?)?.parse().ok()?;
    Some(kib * 1024.0 / 1e9)
}

fn rust() -> Finding {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let Some(printed) = output_of(&rustc, &["--version"]) else {
        return Finding::new("Machine", "Rust", Status::Bad, "no rustc")
            .advise("install it from https://rustup.rs");
    };
    let found = printed
        .split_whitespace()
        .nth(1)
        .unwrap_or("unknown version");
    if version(found) < version(wanted) {
        let advice = format!("this workspace wants {wanted} or later: rustup update stable");
        Finding::new("Machine", "Rust", Status::Bad, found).advise(advice)
    } else {
        Finding::new(
            "Machine",
            "Rust",
            Status::Good,
            format!("{found} ({wanted} or later is wanted)"),
        )
    }
}

/// `1.89` and `1.95.0-nightly` as numbers to compare.
fn version(text: &str) -> Vec<u32> {
    let numbers = text.split('-').next().unwrap_or_default().split('.');
    numbers.map(|number| number.parse().unwrap_or(0)).collect()
}

fn c_compiler() -> Finding {
    let cc = std::env::var("CC")
        .ok()
        .filter(|cc| !cc.is_empty())
        .unwrap_or_else(|| "cc".to_string());
    match output_of(&cc, &["--version"]) {
        Some(printed) => {
            let line = printed.lines().next().unwrap_or_default().to_string();
            Finding::new("Machine", "C compiler", Status::Good, line)
        }
        // cargo finds Visual Studio's compiler where it was installed, and it is not on PATH.
        None if cfg!(windows) => {
            Finding::new("Machine", "C compiler", Status::Lacking, "not on PATH")
                .advise("fine with the Visual Studio Build Tools, which cargo finds by itself")
        }
        None => {
            let advice = if cfg!(target_os = "macos") {
                "xcode-select --install"
            } else {
                "sudo apt install build-essential, or your system's like"
            };
            Finding::new(
                "Machine",
                "C compiler",
                Status::Bad,
                format!("`{cc}` does not run"),
            )
            .advise(advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("1.9.0") < version("1.89"));
        assert!(version("1.89.0") >= version("1.89"));
        assert!(version("1.95.0-nightly") > version("1.89"));
    }

    #[test]
    fn df_is_read_by_its_percent_column() {
        let plain = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 264000000 1 2000000 19% /\n";
        assert_eq!(df_free_gb(plain), Some(2.048));
        let spaced = "Filesystem 1024-blocks Used Available Capacity Mounted on\nmap auto home 9 9 1000000 100% /my home\n";
        assert_eq!(df_free_gb(spaced), Some(1.024));
        assert_eq!(df_free_gb("df: no such file"), None);
    }

    #[test]
    fn meminfo_is_read_in_kibibytes() {
        let info = "MemTotal:       25165824 kB\nMemFree: 1 kB\nMemAvailable:   524288 kB\n";
        assert_eq!(meminfo_gib(info, "MemTotal:"), Some(24.0));
        assert_eq!(meminfo_gib(info, "MemAvailable:"), Some(0.5));
        assert_eq!(meminfo_gib(info, "SwapTotal:"), None);
    }
}
