//! Where `unsafe` may be, as the lint has it, with what only the kernels may say otherwise; and that panics can be caught.

#![allow(clippy::unwrap_used)] // helpers of tests are no tests to clippy

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Files of ours with this ending, below the folders that hold code.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = ["crates", "tests", "xtask"]
        .map(|name| root().join(name))
        .into();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.file_name().is_some_and(|name| name != "target") => open.push(path),
                false if path.to_string_lossy().ends_with(ending) => files.push(path),
                _ => {}
            }
        }
    }
    files
}

#[test]
fn only_the_kernels_and_the_names_for_a_browser_lift_the_ban_on_unsafe_code() {
    let this = Path::new(file!()).file_name().unwrap();
    let lifts = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("(unsafe_code)");
    let lifting = files(".rs")
        .into_iter()
        .filter(|path| !path.ends_with(this) && lifts(path));
    let lifting: Vec<PathBuf> = lifting.collect();
    let kernels = root().join("crates/siamese-kernels");
    assert!(lifting.iter().any(|path| path.starts_with(&kernels)));
    // names kept for a linker, and nothing else
    let exports = root().join("crates/siamese-wasm/src/exports.rs");
    let exported = fs::read_to_string(&exports).unwrap();
    assert_eq!(
        exported.matches("unsafe").count(),
        exported.matches("unsafe(no_mangle)").count() + 2
    );
    let others: Vec<_> = lifting
        .iter()
        .filter(|path| !path.starts_with(&kernels) && **path != exports)
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn every_crate_takes_the_workspaces_lints_and_they_deny_unsafe_code() {
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert!(text(&root().join("Cargo.toml")).contains("unsafe_code = \"deny\""));
    let manifests = files("Cargo.toml");
    assert!(manifests.len() > 5);
    for manifest in manifests {
        let lints = text(&manifest).contains("[lints]\nworkspace = true");
        assert!(lints, "{}", manifest.display());
    }
}

/// What other people's parsers throw is caught, and makes their file damaged: a build that aborts would end the command.
#[test]
fn panics_unwind_in_every_profile() {
    for manifest in files("Cargo.toml")
        .into_iter()
        .chain([root().join("Cargo.toml")])
    {
        let text = fs::read_to_string(&manifest).unwrap();
        let aborts = text
            .lines()
            .any(|line| line.trim_start().starts_with("panic"));
        assert!(!aborts, "{}", manifest.display());
    }
}
