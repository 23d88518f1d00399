//! Downloads from the hub, against a server on the loopback.

#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

mod hub_server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub_server::{COMMIT, Faults, HubServer, etag, nobody, sha256};
use siamese_data::{
    DataError, HubOptions, LoadOptions, OpenOptions, Origin, Part, Progress, SourceChoice,
    fetch_cifar100, load_cifar100, open,
};
use tempfile::TempDir;

const TRAIN: &str = "cifar100/train-00000-of-00001.parquet";
const TEST: &str = "cifar100/test-00000-of-00001.parquet";

fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

/// The bundled sample, in the place of the whole set.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let read = |file| {
        let path = datasets().join("uoft-cs/cifar100").join(file);
        (file, fs::read(path).expect("the bundled sample"))
    };
    vec![read(TRAIN), read(TEST)]
}

fn serve(faults: Faults) -> HubServer {
    HubServer::start(files(), faults)
}

/// Options that look at nothing of this machine but `folder`.
fn options(folder: &TempDir, endpoint: &str) -> LoadOptions {
    LoadOptions {
        data: None,
        source: SourceChoice::Hub,
        cache: Some(folder.path().join("packed")),
        samples: Some(datasets()),
        hub: HubOptions {
            read_timeout: Duration::from_secs(10),
            retries: 2,
            backoff: Duration::from_millis(1),
            ..HubOptions::new(endpoint, &folder.path().join("hub"))
        },
        progress: Progress::Silent,
    }
}

fn assert_whole(options: &LoadOptions) {
    let fetched = fetch_cifar100(options).expect("a download");
    for (path, (file, content)) in [fetched.train, fetched.test].iter().zip(files()) {
        assert_eq!(sha256(&fs::read(path).unwrap()), sha256(&content), "{file}");
    }
}

fn repo_folder(options: &LoadOptions) -> PathBuf {
    options.hub.cache.join("datasets--uoft-cs--cifar100")
}

fn blobs(options: &LoadOptions) -> Vec<String> {
    let entries = fs::read_dir(repo_folder(options).join("blobs"));
    let entries = entries.into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

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
fn a_busy_server_is_asked_again() {
    let faults = Faults {
        busy: 2,
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    assert_whole(&options(&folder, &server.endpoint));
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
fn a_refusal_names_the_token_and_is_not_repeated() {
    let faults = || Faults {
        wants_token: Some("hf_right"),
        ..Faults::default()
    };
    let (server, folder) = (serve(faults()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    let error = fetch_cifar100(&options).unwrap_err();
    assert!(error.to_string().contains("401") && error.to_string().contains("set HF_TOKEN"));
    assert_eq!(server.seen().len(), 1);

    options.hub.token = Some("hf_wrong".into());
    let error = fetch_cifar100(&options).unwrap_err();
    assert!(error.to_string().contains("is not accepted"), "{error}");
}

#[test]
fn the_hubs_own_words_on_a_gated_set_are_shown() {
    let refuses = Some((
        "403 Forbidden",
        "X-Error-Code: GatedRepo\r\nX-Error-Message: Access to this set is restricted.\r\n",
    ));
    let (server, folder) = (
        serve(Faults {
            refuses,
            ..Faults::default()
        }),
        TempDir::new().unwrap(),
    );
    let mut options = options(&folder, &server.endpoint);
    options.hub.token = Some("hf_right".into());
    for source in [SourceChoice::Hub, SourceChoice::Auto] {
        options.source = source;
        let error = load_cifar100(&options).unwrap_err().to_string();
        assert!(
            error.contains("Access to this set is restricted. (GatedRepo)")
                && error.contains("ask for access"),
            "{error}"
        );
    }
}

#[test]
fn malformed_settings_are_refused_before_anything_is_asked() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let whole = options(&folder, &server.endpoint);
    let with = |change: &dyn Fn(&mut HubOptions)| {
        let mut options = whole.clone();
        options.source = SourceChoice::Auto;
        change(&mut options.hub);
        options
    };
    for (name, options) in [
        (
            "HF_ENDPOINT",
            with(&|hub| hub.endpoint = "hub.example".into()),
        ),
        ("HF_TOKEN", with(&|hub| hub.token = Some("hf_a\nb".into()))),
        (
            "SSL_CERT_FILE",
            with(&|hub| hub.certificates = vec!["/none".into()]),
        ),
        (
            "HTTP_PROXY",
            with(&|hub| hub.malformed = Some("HTTP_PROXY is wrong".into())),
        ),
    ] {
        let error = load_cifar100(&options).unwrap_err();
        assert!(matches!(error, DataError::Setting(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(name) && !error.contains("hf_a"), "{error}");
    }
    assert!(server.seen().is_empty());
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
fn offline_uses_the_cache_and_asks_nobody() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    fetch_cifar100(&options).unwrap();
    let before = server.seen().len();
    options.hub.offline = true;
    let dataset = load_cifar100(&options).unwrap();
    assert!(matches!(dataset.provenance.origin, Origin::Hub { commit, .. } if commit == COMMIT));
    assert_eq!(server.seen().len(), before);
}

#[test]
fn offline_without_a_cache_is_an_error_that_says_so() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.offline = true;
    let error = load_cifar100(&options).unwrap_err().to_string();
    assert!(
        error.contains(TRAIN) && error.contains("HF_HUB_OFFLINE"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}

#[test]
fn auto_prefers_the_hub_and_then_what_was_packed_from_it() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.source = SourceChoice::Auto;
    let first = load_cifar100(&options).unwrap();
    assert!(matches!(first.provenance.origin, Origin::Hub { .. }));
    assert!(
        !first.provenance.verified,
        "the sample is not the whole set"
    );

    // Neither the network nor the downloaded files: the packed set is enough.
    fs::remove_dir_all(&options.hub.cache).unwrap();
    options.hub.endpoint = nobody();
    let second = load_cifar100(&options).unwrap();
    assert_eq!(second.provenance, first.provenance);
    assert_eq!(
        second.train.image(3_999).unwrap(),
        first.train.image(3_999).unwrap()
    );
}

#[test]
fn without_a_network_auto_takes_the_sample_and_says_why() {
    let folder = TempDir::new().unwrap();
    let mut options = options(&folder, &nobody());
    options.source = SourceChoice::Auto;
    options.hub.retries = 5;
    options.hub.backoff = Duration::from_secs(60);
    let start = Instant::now();
    let dataset = load_cifar100(&options).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "it did not wait for a retry"
    );
    assert!(dataset.provenance.is_sample());
    let reason = dataset.provenance.fallback.expect("a reason");
    assert!(reason.contains("cannot reach"), "{reason}");

    options.hub.offline = true;
    let dataset = load_cifar100(&options).unwrap();
    assert!(
        dataset
            .provenance
            .fallback
            .unwrap()
            .contains("HF_HUB_OFFLINE")
    );
}

#[test]
fn auto_waits_for_a_busy_hub_and_does_not_take_the_sample_instead() {
    let busy = |hub_busy| Faults {
        hub_busy,
        ..Faults::default()
    };
    let (server, folder) = (serve(busy(2)), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.source = SourceChoice::Auto;
    assert!(!load_cifar100(&options).unwrap().provenance.is_sample());

    let (server, folder) = (serve(busy(usize::MAX)), TempDir::new().unwrap());
    let mut options = self::options(&folder, &server.endpoint);
    options.source = SourceChoice::Auto;
    let error = load_cifar100(&options).unwrap_err();
    assert!(matches!(error, DataError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(server.seen().len(), 3, "asked once and twice again");
}

#[test]
fn a_hub_that_asks_for_an_hour_is_not_waited_for() {
    let faults = Faults {
        refuses: Some(("429 Too Many Requests", "Retry-After: 3600\r\n")),
        ..Faults::default()
    };
    let (server, folder) = (serve(faults), TempDir::new().unwrap());
    let error = fetch_cifar100(&options(&folder, &server.endpoint)).unwrap_err();
    assert!(error.to_string().contains("429"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn without_a_network_a_set_fetched_before_comes_before_the_sample() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = OpenOptions {
        cache: Some(folder.path().join("packed")),
        datasets: Some(datasets()),
        hub: options(&folder, &server.endpoint).hub,
        progress: Progress::Silent,
        ..OpenOptions::default()
    };
    options.hub.endpoint = nobody();
    // the sample lies in a folder of data sets, too
    options.datasets = Some(folder.path().join("none"));
    assert!(open("cifar100", &options).is_err());
    options.hub.endpoint = server.endpoint.clone();
    assert!(matches!(
        open("cifar100", &options).unwrap().origin,
        Origin::Hub { .. }
    ));
    options.hub.endpoint = nobody();
    assert!(matches!(
        open("cifar100", &options).unwrap().origin,
        Origin::Hub { .. }
    ));
}

#[test]
fn without_a_network_the_hub_is_an_error_where_it_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let error = load_cifar100(&options(&folder, &nobody())).unwrap_err();
    assert!(matches!(error, DataError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("--data PATH"), "{error}");
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
