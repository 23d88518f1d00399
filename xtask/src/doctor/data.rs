//! The data: what the hub client downloaded, what was packed from it, and the sample in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Status};
use crate::paths;

/// The hub's name of the data set, as its cache folder spells it.
const HUB_FOLDER: &str = "datasets--uoft-cs--cifar100";
const SAMPLE: &str = "uoft-cs/cifar100/cifar100";
const SAMPLE_ADVICE: &str = "it is part of the repository: git checkout -- datasets
or take the whole set: cargo xtask fetch cifar100";
const FETCH: &str = "cargo xtask fetch cifar100";

pub(super) fn findings() -> Vec<Finding> {
    let downloaded = downloaded();
    let sample = sample(downloaded.status == Status::Good);
    vec![downloaded, packed(), sample]
}

/// Whether the whole of CIFAR-100 is here.
pub(super) fn full_set(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.name == "downloaded" && finding.status == Status::Good)
}

fn downloaded() -> Finding {
    let Some(hub) = hub_cache() else {
        return Finding::new(
            "Data",
            "downloaded",
            Status::Lacking,
            "no home folder to look in",
        )
        .advise("set HF_HOME");
    };
    let snapshots = hub.join(HUB_FOLDER).join("snapshots");
    let files = files(&snapshots, 3);
    let has = |split: &str| {
        files.iter().any(|file| {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.starts_with(split) && name.ends_with(".parquet")
        })
    };
    if has("train-") && has("test-") {
        let found = format!("CIFAR-100 in {}", paths::display(&hub.join(HUB_FOLDER)));
        Finding::new("Data", "downloaded", Status::Good, found)
    } else {
        let found = format!("no CIFAR-100 in {}", paths::display(&hub));
        Finding::new("Data", "downloaded", Status::Lacking, found).advise(FETCH)
    }
}

fn packed() -> Finding {
    let Some(cache) = siamese_cache() else {
        return Finding::new(
            "Data",
            "packed",
            Status::Lacking,
            "no home folder to look in",
        )
        .advise("set SIAMESE_CACHE");
    };
    let files = files(&cache, 3);
    if files.is_empty() {
        let found = format!(
            "nothing yet in {}; the first run decodes the images, once",
            paths::display(&cache)
        );
        return Finding::new("Data", "packed", Status::Lacking, found);
    }
    let found = format!("{} in {}", size(&files), paths::display(&cache));
    Finding::new("Data", "packed", Status::Good, found)
}

fn sample(full: bool) -> Finding {
    let datasets =
        paths::variable("SIAMESE_DATASETS").unwrap_or_else(|| paths::root().join("datasets"));
    let folder = datasets.join(SAMPLE);
    let mut parquet = files(&folder, 1);
    parquet.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "parquet")
    });
    let folder = paths::display(&folder);
    if !parquet.is_empty() {
        return Finding::new(
            "Data",
            "sample",
            Status::Good,
            format!("{} in {folder}", size(&parquet)),
        );
    }
    let status = if full { Status::Lacking } else { Status::Bad };
    Finding::new(
        "Data",
        "sample",
        status,
        format!("no parquet files in {folder}"),
    )
    .advise(SAMPLE_ADVICE)
}

/// The hub client's cache, where `siamese-data` and Python's `huggingface_hub` have it.
fn hub_cache() -> Option<PathBuf> {
    let home = || {
        paths::variable("HF_HOME")
            .or_else(|| Some(paths::variable("XDG_CACHE_HOME")?.join("huggingface")))
            .or_else(|| Some(std::env::home_dir()?.join(".cache/huggingface")))
    };
    paths::variable("HF_HUB_CACHE").or_else(|| Some(home()?.join("hub")))
}

/// Where decoded images are kept.
fn siamese_cache() -> Option<PathBuf> {
    paths::variable("SIAMESE_CACHE")
        .or_else(|| Some(paths::variable("XDG_CACHE_HOME")?.join("siamese")))
        .or_else(|| Some(std::env::home_dir()?.join(".cache/siamese")))
}

/// Every file at most `depth` folders below `dir`, links followed.
fn files(dir: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_file() {
            found.push(path);
        } else if depth > 1 && path.is_dir() {
            found.extend(files(&path, depth - 1));
        }
    }
    found
}

/// How many files, and their size in all.
fn size(files: &[PathBuf]) -> String {
    let bytes: u64 = files
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|metadata| metadata.len())
        .sum();
    let plural = if files.len() == 1 { "file" } else { "files" };
    format!("{} {plural}, {:.1} MB", files.len(), bytes as f64 / 1e6)
}
