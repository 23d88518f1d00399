//! What the tests of the hub share: a server with the bundled sample, and options that know nothing else.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use siamese_data::{HubOptions, OpenOptions, Progress, SourceChoice, fetch_cifar100};
use tempfile::TempDir;

use crate::hub_server::{Faults, HubServer, sha256};

pub(crate) const TRAIN: &str = "cifar100/train-00000-of-00001.parquet";
pub(crate) const TEST: &str = "cifar100/test-00000-of-00001.parquet";

pub(crate) fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

/// The bundled sample, in the place of the whole set.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let read = |file| {
        let path = datasets().join("uoft-cs/cifar100").join(file);
        (file, fs::read(path).expect("the bundled sample"))
    };
    vec![read(TRAIN), read(TEST)]
}

pub(crate) fn serve(faults: Faults) -> HubServer {
    HubServer::start(files(), faults)
}

/// Options that look at nothing of this machine but `folder`.
pub(crate) fn options(folder: &TempDir, endpoint: &str) -> OpenOptions {
    OpenOptions {
        source: SourceChoice::Hub,
        cache: Some(folder.path().join("packed")),
        datasets: Some(datasets()),
        hub: HubOptions {
            read_timeout: Duration::from_secs(10),
            retries: 2,
            backoff: Duration::from_millis(1),
            ..HubOptions::new(endpoint, &folder.path().join("hub"))
        },
        progress: Progress::Silent,
        ..OpenOptions::default()
    }
}

pub(crate) fn assert_whole(options: &OpenOptions) {
    let fetched = fetch_cifar100(options).expect("a download");
    for (path, (file, content)) in [fetched.train, fetched.test].iter().zip(files()) {
        assert_eq!(sha256(&fs::read(path).unwrap()), sha256(&content), "{file}");
    }
}

pub(crate) fn repo_folder(options: &OpenOptions) -> PathBuf {
    options.hub.cache.join("datasets--uoft-cs--cifar100")
}

pub(crate) fn blobs(options: &OpenOptions) -> Vec<String> {
    let entries = fs::read_dir(repo_folder(options).join("blobs"));
    let entries = entries.into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
