//! A hub that is busy, refuses or cannot be reached, and what is taken instead.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

mod hub_server;
mod hub_support;

use std::time::{Duration, Instant};

use hub_server::{COMMIT, Faults, nobody};
use hub_support::{assert_whole, datasets, options, serve};
use siamese_data::{
    DataError, HubOptions, OpenOptions, Origin, Progress, SourceChoice, fetch_cifar100,
    load_cifar100, open,
};
use tempfile::TempDir;

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
fn offline_uses_the_cache_and_asks_nobody() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    fetch_cifar100(&options).unwrap();
    let before = server.seen().len();
    options.hub.offline = true;
    let dataset = load_cifar100(&options).unwrap();
    assert!(matches!(dataset.origin, Origin::Hub { commit, .. } if commit == COMMIT));
    assert_eq!(server.seen().len(), before);
}

#[test]
fn offline_without_a_cache_is_an_error_that_says_so() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.hub.offline = true;
    let error = load_cifar100(&options).unwrap_err().to_string();
    assert!(
        error.contains("uoft-cs/cifar100") && error.contains("HF_HUB_OFFLINE"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}

#[test]
fn auto_prefers_the_hub() {
    let (server, folder) = (serve(Faults::default()), TempDir::new().unwrap());
    let mut options = options(&folder, &server.endpoint);
    options.source = SourceChoice::Auto;
    let dataset = load_cifar100(&options).unwrap();
    assert!(matches!(dataset.origin, Origin::Hub { .. }));
    assert_eq!(dataset.fallback, None);
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
    assert!(dataset.is_sample());
    let reason = dataset.fallback.expect("a reason");
    assert!(reason.contains("cannot reach"), "{reason}");

    options.hub.offline = true;
    let dataset = load_cifar100(&options).unwrap();
    assert!(dataset.fallback.unwrap().contains("HF_HUB_OFFLINE"));
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
    assert!(!load_cifar100(&options).unwrap().is_sample());

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
