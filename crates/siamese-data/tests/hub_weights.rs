//! A model's weights from the hub, against a server on the loopback.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

mod hub_server;

use std::fs;

use hub_server::{Faults, HubServer, sha256};
use siamese_data::{HubOptions, Progress, cached_weights, fetch_weights};

const NAME: &str = "timm/resnet50.tv_in1k";

#[test]
fn weights_come_with_their_settings_and_are_asked_for_once() {
    let files = vec![
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", vec![7; 3000]),
    ];
    let server = HubServer::start(files, Faults::default());
    let folder = tempfile::tempdir().unwrap();
    let options = HubOptions::new(&server.endpoint, folder.path());
    assert_eq!(cached_weights(NAME, &options), None);
    let fetch = || fetch_weights(NAME, &options, Progress::Silent).unwrap();
    let weights = fetch();
    assert_eq!(fs::read(&weights).unwrap(), vec![7; 3000]);
    assert_eq!(
        fs::read(weights.with_file_name("config.json")).unwrap(),
        b"{}"
    );
    let blobs = folder.path().join("models--timm--resnet50.tv_in1k/blobs");
    assert!(blobs.join(sha256(&[7; 3000])).is_file());
    let before = server.seen().len();
    assert_eq!(
        (fetch(), cached_weights(NAME, &options)),
        (weights.clone(), Some(weights))
    );
    assert_eq!(server.seen().len(), before);
}

#[test]
fn a_repository_without_safetensors_is_refused_with_what_to_name() {
    let files = vec![("pytorch_model.bin", vec![1; 10])];
    let server = HubServer::start(files, Faults::default());
    let folder = tempfile::tempdir().unwrap();
    let options = HubOptions::new(&server.endpoint, folder.path());
    let error = fetch_weights(NAME, &options, Progress::Silent).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(NAME) && error.contains("no model.safetensors"),
        "{error}"
    );
}
