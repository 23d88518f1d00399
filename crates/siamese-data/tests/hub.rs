//! Downloads from the hub, against a server on the loopback.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

mod hub_server;
mod hub_support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use hub_server::{COMMIT, Faults, HubServer, etag, sha256};
use hub_support::{TEST, TRAIN, assert_whole, blobs, files, options, repo_folder, serve};
use siamese_data::{DataError, OpenOptions, Origin, Part, Progress, fetch_cifar100, open};
use tempfile::TempDir;

#[test]
fn a_download_lies_in_the_cache_as_pythons_client_lays_it() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let options = options(&folder, &server.endpoint);
    assert_whole(&options);

    let repo = repo_folder(&options);
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    let mut names: Vec<String> = files().iter().map(|(_, content)| sha256(content)).collect();
    names.sort();
    assert_eq!(blobs(&options), names);
    let pointer = repo.join("snapshots").join(COMMIT).join(TRAIN);
    if cfg!(unix) {
        let target = Path::new("../../../blobs").join(sha256(&files()[0].1));
        assert_eq!(fs::read_link(&pointer).unwrap(), target);
    }
    let cache = hf_hub::Cache::new(options.hub.cache.clone()).dataset("uoft-cs/cifar100".into());
    assert_eq!(cache.get(TRAIN), Some(pointer));

    let before = server.seen().len();
    assert_whole(&options);
    assert_eq!(
        server.seen().len(),
        before,
        "what is in the cache is not asked for again"
    );
}

#[test]
fn a_download_cut_in_mid_file_goes_on_where_it_broke_off() {
    let faults = Faults {
        cuts: 1,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let options = options(&folder, &server.endpoint);
    assert_whole(&options);
    assert_eq!(server.starts(), [0, files()[0].1.len() / 2, 0]);
}

#[test]
fn a_download_given_up_is_resumed_by_the_next_run() {
    let faults = Faults {
        cuts: 1,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.retries = 0;
    let error = fetch_cifar100(&options).unwrap_err();
    assert!(matches!(error, DataError::BrokenDownload { .. }), "{error}");
    assert!(
        error.to_string().contains("run the same command again"),
        "{error}"
    );
    let half = format!("{}.incomplete", sha256(&files()[0].1));
    assert_eq!(blobs(&options), [half], "a half file does not look whole");

    assert_whole(&options);
    assert_eq!(server.starts(), [0, files()[0].1.len() / 2, 0]);
}

#[test]
fn a_corrupted_file_is_noticed_and_fetched_again() {
    let faults = Faults {
        corruptions: 1,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    assert_whole(&options(&folder, &server.endpoint));
    assert_eq!(server.starts(), [0, 0, 0]);
}

#[test]
fn a_file_that_stays_corrupted_is_an_error_and_leaves_nothing_that_looks_whole() {
    let faults = Faults {
        corruptions: usize::MAX,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let options = options(&folder, &server.endpoint);
    let error = fetch_cifar100(&options).unwrap_err();
    assert!(
        error.to_string().contains("not what its checksum"),
        "{error}"
    );
    assert!(
        blobs(&options)
            .iter()
            .all(|name| name.ends_with(".incomplete"))
    );
}

#[test]
fn a_server_that_ignores_ranges_does_not_make_a_file_of_one_and_a_half() {
    let faults = Faults {
        cuts: 1,
        ignores_ranges: true,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    assert_whole(&options(&folder, &server.endpoint));
}

#[test]
fn what_is_left_of_another_file_is_replaced() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let options = options(&folder, &server.endpoint);
    let blobs = repo_folder(&options).join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let [train, test] = [0, 1].map(|i| files()[i].1.clone());
    let part = |content: &[u8]| blobs.join(format!("{}.incomplete", sha256(content)));
    fs::write(part(&train), vec![7; train.len() + 1]).unwrap();
    fs::write(part(&test), vec![7; 1000]).unwrap();
    assert_whole(&options);
}

#[test]
fn a_renamed_repository_is_followed() {
    let faults = Faults {
        renamed: true,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    assert_whole(&options(&folder, &server.endpoint));
}

#[test]
fn a_redirect_without_a_size_is_followed_whatever_its_kind() {
    for resolves in [
        ("301 Moved Permanently", "/resolved/"),
        ("302 Found", "//HOST/resolved/"),
        ("303 See Other", "http://HOST/resolved/"),
        ("307 Temporary Redirect", "../../../../../../resolved/"),
        ("308 Permanent Redirect", "/a/../resolved/"),
    ] {
        let faults = Faults {
            resolves: Some(resolves),
            wants_token: Some("hf_right"),
            ..Faults::default()
        };
        let (server, folder) = (serve(faults), TempDir::new().unwrap());
        let mut options = options(&folder, &server.endpoint);
        options.hub.token = Some("hf_right".into());
        assert_whole(&options);
        let mut names: Vec<String> = files().iter().map(|(_, content)| etag(content)).collect();
        names.sort();
        assert_eq!(blobs(&options), names, "{resolves:?}");
    }
}

#[test]
fn what_the_hub_does_not_say_of_a_file_its_host_is_asked_for_without_the_token() {
    let faults = Faults {
        tells_little: true,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.token = Some("hf_right".into());
    let error = fetch_cifar100(&options).unwrap_err().to_string();
    assert!(
        error.contains("does not name commit, ETag and size"),
        "{error}"
    );
    let asked = server.seen().into_iter().find(|seen| seen.to_content_host);
    let asked = asked.expect("a request for one byte");
    assert_eq!(
        (asked.start, asked.end, asked.authorization),
        (Some(0), Some(0), None)
    );
}

#[test]
fn a_server_that_gives_no_headers_alone_is_asked_for_a_byte() {
    let faults = Faults {
        no_heads: true,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    assert_whole(&options(&folder, &server.endpoint));
}

#[test]
fn a_redirect_to_nowhere_is_told_at_once() {
    let faults = Faults {
        resolves: Some(("307 Temporary Redirect", "ftp://HOST/")),
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let error = fetch_cifar100(&options(&folder, &server.endpoint)).unwrap_err();
    assert!(error.to_string().contains("ftp://"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let options = options(&folder, &server.endpoint);
    let fetched = fetch_cifar100(&options).unwrap();
    let blob = fetched.train.canonicalize().unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[12_345] ^= 1;
    fs::write(&blob, bytes).unwrap();
    assert_whole(&options);
}

#[test]
fn the_token_goes_to_the_hub_and_not_to_the_content_host() {
    let faults = Faults {
        wants_token: Some("hf_right"),
        renamed: true,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.token = Some("hf_right".into());
    assert_whole(&options);
    let seen = server.seen();
    assert!(seen.iter().any(|seen| seen.to_content_host));
    for seen in seen {
        assert_eq!(
            seen.authorization.is_none(),
            seen.to_content_host,
            "{seen:?}"
        );
    }
}

#[test]
fn a_repository_is_listed_fetched_and_then_read_without_the_network() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = OpenOptions {
        cache: Some(folder.path().join("packed")),
        hub: options(&folder, &server.endpoint).hub,
        progress: Progress::Silent,
        ..OpenOptions::default()
    };
    for offline in [false, true] {
        options.hub.offline = offline;
        let listing = open("hf:uoft-cs/cifar100/cifar100", &options).unwrap();
        let origin = Origin::Hub {
            repo: "uoft-cs/cifar100".into(),
            commit: COMMIT.into(),
        };
        assert_eq!(
            (listing.origin, listing.hub_id),
            (origin, Some("uoft-cs/cifar100".into()))
        );
        assert_eq!(listing.items[4_999].part, Some(Part::Test));
    }
    let seen = server.seen().len();
    assert!(
        open("hf:uoft-cs/cifar100/other", &options)
            .unwrap_err()
            .to_string()
            .contains("no set other")
    );
    assert_eq!(server.seen().len(), seen, "offline nobody is asked");
    options.hub.offline = false;
    let error = open("hf:uoft-cs/cifar1000", &options)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("404") && error.contains("check the name"),
        "{error}"
    );
}

#[test]
fn a_server_that_only_drips_is_given_up() {
    let faults = Faults {
        drips: Some(Duration::from_millis(20)),
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.read_timeout = Duration::from_millis(200);
    let error = fetch_cifar100(&options).unwrap_err();
    assert!(matches!(error, DataError::BrokenDownload { .. }), "{error}");
    assert!(error.to_string().contains("1024 a second"), "{error}");
}

#[test]
fn a_server_that_sends_wrong_ranges_without_end_is_given_up() {
    let faults = Faults {
        wrong_ranges: true,
        ..Faults::default()
    };
    let files = [(TRAIN, 5), (TEST, 6)].map(|(name, byte)| (name, vec![byte; 4 << 20]));
    let (server, folder) = (
        HubServer::start(files.to_vec(), faults),
        TempDir::new().unwrap(),
    );
    let error = fetch_cifar100(&options(&folder, &server.endpoint)).unwrap_err();
    assert!(matches!(error, DataError::BrokenDownload { .. }), "{error}");
    assert!(server.starts().len() < 10, "{:?}", server.starts());
}

#[test]
fn a_claimed_size_that_the_disk_has_no_room_for_is_refused_before_a_byte_is_fetched() {
    let faults = Faults {
        claims: Some(1 << 60),
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let error = fetch_cifar100(&options(&folder, &server.endpoint)).unwrap_err();
    if cfg!(unix) {
        assert!(matches!(error, DataError::NoRoom { .. }), "{error}");
        assert!(error.to_string().contains("bytes free"), "{error}");
        assert!(server.starts().is_empty());
    }
}
