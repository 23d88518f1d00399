//! A hub behind a certificate that only a company knows, on the loopback.
//!
//! `hub_tls/authority.pem` is such an authority (its key was thrown away), `hub_tls/server.pem` the certificate that
//! it gave to 127.0.0.1, and the key of that; all valid from 2020 to 2120.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use siamese_data::{HubOptions, OpenOptions, Progress, SourceChoice, open};

fn pem(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub_tls");
    folder.join(name)
}

/// A hub that knows no repository; it counts who knocks.
fn serve() -> (String, Arc<AtomicUsize>) {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(pem("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pem("server.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let knocks = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&knocks);
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut connection, &mut socket);
            // a client that does not trust the certificate hangs up
            if stream.read(&mut [0; 4096]).is_ok() {
                let answer =
                    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
    (endpoint, knocks)
}

fn said(endpoint: &str, certificates: Vec<PathBuf>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        source: SourceChoice::Auto,
        datasets: Some(folder.path().join("none")),
        hub: HubOptions {
            certificates,
            backoff: Duration::from_millis(1),
            ..HubOptions::new(endpoint, &folder.path().join("hub"))
        },
        progress: Progress::Silent,
        ..OpenOptions::default()
    };
    open("cifar100", &options).unwrap_err().to_string()
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_at_once() {
    let (endpoint, knocks) = serve();
    let error = said(&endpoint, Vec::new());
    assert!(
        error.contains("certificate") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    assert_eq!(knocks.load(Ordering::SeqCst), 1, "no second try");
}

#[test]
fn a_companys_authority_is_trusted_where_it_is_named() {
    let (endpoint, _) = serve();
    for certificates in [vec![pem("authority.pem")], vec![pem("")]] {
        let error = said(&endpoint, certificates);
        assert!(error.contains("404"), "{error}");
    }
}
