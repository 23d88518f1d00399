//! The certificates that servers are judged by: those named, else the system's, else Mozilla's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use ureq::tls::{Certificate, RootCerts};

use crate::DataError;
use crate::variables::Variables;

/// What was read before, by the paths: a system's store takes a while.
static READ: Mutex<Option<HashMap<Vec<PathBuf>, RootCerts>>> = Mutex::new(None);

/// The files and folders that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else those that Python's and curl's own
/// variables do.
pub(super) fn named(variables: &Variables) -> Result<Vec<PathBuf>, String> {
    let file = variables.path("SSL_CERT_FILE")?;
    let folders = variables.paths("SSL_CERT_DIR")?;
    let named: Vec<PathBuf> = file.into_iter().chain(folders).collect();
    if !named.is_empty() {
        return Ok(named);
    }
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        if let Some(path) = variables.path(name)? {
            return Ok(vec![path]);
        }
    }
    Ok(named)
}

/// The certificates in these files and folders (PEM); where there are none, the system's store, and in a system
/// without one those of Mozilla's list.
///
/// # Errors
///
/// [`DataError::Setting`] if what was named cannot be read, or holds no certificate.
pub(super) fn trusted(named: &[PathBuf]) -> Result<RootCerts, DataError> {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let read = read.get_or_insert_default();
    if let Some(roots) = read.get(named) {
        return Ok(roots.clone());
    }
    let mut certificates = Vec::new();
    for path in named {
        let found = certificates_at(path);
        // a folder may be empty where another place is not
        if found.certs.is_empty() && (!path.is_dir() || named.len() == 1) {
            return Err(none_at(path, &found));
        }
        certificates.extend(of(found));
    }
    if named.is_empty() {
        certificates = of(load_native_certs());
    }
    let roots = match certificates.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::from(certificates),
    };
    read.insert(named.to_vec(), roots.clone());
    Ok(roots)
}

fn certificates_at(path: &Path) -> CertificateResult {
    match path.is_dir() {
        true => load_certs_from_paths(None, Some(path)),
        false => load_certs_from_paths(Some(path), None),
    }
}

fn none_at(path: &Path, found: &CertificateResult) -> DataError {
    let why = found.errors.first().map(|error| format!(": {error}"));
    DataError::Setting(format!(
        "SSL_CERT_FILE or SSL_CERT_DIR names {}, where there is no certificate (PEM){}",
        path.display(),
        why.unwrap_or_default()
    ))
}

fn of(found: CertificateResult) -> Vec<Certificate<'static>> {
    let certificates = found.certs.iter();
    certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        for path in [
            file,
            folder.path().to_path_buf(),
            folder.path().join("none"),
        ] {
            let error = trusted(&[path]).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.contains("SSL_CERT_FILE"), "{error}");
        }
    }

    #[test]
    fn the_variables_of_openssl_come_before_those_of_python() {
        let paths = |set: &[(&str, &str)]| {
            let look = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            };
            named(&Variables(&look)).unwrap()
        };
        let both = [("REQUESTS_CA_BUNDLE", "/b"), ("SSL_CERT_FILE", "/a")];
        assert_eq!(paths(&both), [PathBuf::from("/a")]);
        assert_eq!(paths(&both[..1]), [PathBuf::from("/b")]);
        assert!(paths(&[]).is_empty());
    }
}
