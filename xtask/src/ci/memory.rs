//! The gate's looks at memory: the kernels under AddressSanitizer, and under Miri what it can run.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::Outcome;
use crate::paths;

/// Where the sanitizer's runtime comes with the compiler.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The kernels' tests with every access to memory checked: all instruction sets, and the GPU's twin.
pub(super) fn asan() -> Result<Outcome> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Outcome::Skipped(format!(
            "AddressSanitizer is used on {TARGET}"
        )));
    }
    let folder = paths::target().join("asan");
    let folder = folder.to_string_lossy();
    let args = [
        "test",
        "--locked",
        "-p",
        "siamese-kernels",
        "--lib",
        "--tests",
        "--target",
        TARGET,
        "--target-dir",
        &folder,
    ];
    super::cargo(
        &args,
        &[
            // the sanitizer is a nightly compiler's, which the stable one is when told so
            ("RUSTC_BOOTSTRAP", "1".into()),
            ("RUSTFLAGS", "-Zsanitizer=address".into()),
            // what a thread pool keeps to the end is no leak
            ("ASAN_OPTIONS", "detect_leaks=0".into()),
        ],
    )
}

/// Crates without a dependency that Miri stops at: Candle's has assembly, parquet and zip take hours in an interpreter.
const INTERPRETED: [&str; 1] = ["siamese-files"];

/// Undefined behaviour looked for by interpretation. The workspace has `unsafe` in the kernels alone, whose SIMD and whose
/// dependencies Miri does not know: those are AddressSanitizer's.
pub(super) fn miri() -> Result<Outcome> {
    // not `cargo +nightly`: the cargo that runs this is first on the path, and is no proxy of rustup's
    let found = Command::new("rustup")
        .args(["run", "nightly", "cargo", "miri", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !found.is_ok_and(|status| status.success()) {
        let install = "rustup toolchain install nightly --component miri --component rust-src";
        return Ok(Outcome::Skipped(format!(
            "Miri is not installed ({install})"
        )));
    }
    let folder = paths::target().join("miri");
    let mut args = vec!["miri", "test", "--locked", "--lib"];
    args.extend(INTERPRETED.iter().flat_map(|name| ["-p", name]));
    let environment: [(&str, OsString); 2] = [
        // files and times are the machine's own
        ("MIRIFLAGS", "-Zmiri-disable-isolation".into()),
        ("CARGO_TARGET_DIR", folder.into()),
    ];
    super::nightly_cargo(&args, &environment)
}
