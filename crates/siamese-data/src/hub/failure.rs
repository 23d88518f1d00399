//! Why a request brought nothing, and whether another try may help.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::{Error, Proxy, Timeout};

use super::address::Origin;
use crate::DataError;

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// No such host, nobody there, or no answer to the knock.
    NoConnection(String),
    /// Worth another try: the server is busy, or fell silent.
    Passing {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The last word.
    Final(DataError),
}

impl Failure {
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self::Passing {
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// What `error`, met on the way to `url`, means.
    pub(super) fn of(error: Error, url: &str, proxy: Option<&Proxy>) -> Self {
        let host = Origin::of(url).map_or(url.to_string(), |origin| origin.to_string());
        let way = proxy.map_or(String::new(), |proxy| {
            format!(", by the proxy {}:{}", proxy.host(), proxy.port())
        });
        let told = match &error {
            Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        let reason = format!("{host}{way}: {told}");
        let refused = |reason: String, advice| {
            Self::Final(DataError::Refused {
                url: url.into(),
                reason,
                advice,
            })
        };
        match &error {
            _ if is_tls(&error) => refused(
                format!("no secure connection{way}: {told}"),
                "where the network has a certificate of its own, name its file with SSL_CERT_FILE",
            ),
            Error::ConnectProxyFailed(why) if is_refusal(why) => {
                refused(reason, "check HTTPS_PROXY and NO_PROXY")
            }
            Error::BadUri(_) | Error::Http(_) | Error::InvalidProxyUrl => {
                refused(reason, "check HF_ENDPOINT")
            }
            Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Timeout(Timeout::Resolve | Timeout::Connect) => Self::NoConnection(reason),
            Error::Io(error) if !is_of_a_connection(error.kind()) => Self::NoConnection(reason),
            _ => Self::passing(reason),
        }
    }

    /// What to tell when no further try is made to reach `hub`.
    pub(super) fn given_up(self, hub: &Origin) -> DataError {
        let url = hub.to_string();
        let without_host = |reason: String| match reason.strip_prefix(&url) {
            Some(rest) => rest.trim_start_matches([':', ',', ' ']).to_string(),
            None => reason,
        };
        match self {
            Self::NoConnection(reason) => DataError::Unreachable {
                reason: without_host(reason),
                url,
            },
            Self::Passing { reason, .. } => DataError::Busy {
                reason: without_host(reason),
                url,
            },
            Self::Final(error) => error,
        }
    }

    pub(super) fn reason(self) -> String {
        match self {
            Self::NoConnection(reason) | Self::Passing { reason, .. } => reason,
            Self::Final(error) => error.to_string(),
        }
    }
}

/// Whether the certificate, or what else belongs to a secure connection, is wrong; that does not pass.
fn is_tls(error: &Error) -> bool {
    match error {
        Error::Rustls(_) | Error::Tls(_) | Error::TlsRequired | Error::Pem(_) => true,
        Error::Io(error) => error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}

/// Whether the proxy says no rather than that the host does not answer.
fn is_refusal(why: &str) -> bool {
    ["401", "403", "405", "407"]
        .iter()
        .any(|status| why.contains(status))
}

/// Whether such an error comes from a connection that was there.
fn is_of_a_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::InvalidData
            | ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_came_before_the_connection_is_told_from_what_came_after() {
        let of = |error| Failure::of(error, "https://hub/x", None);
        let lookup = io::Error::other("failed to lookup address information");
        for error in [
            Error::HostNotFound,
            Error::Timeout(Timeout::Connect),
            Error::Io(ErrorKind::ConnectionRefused.into()),
            Error::Io(ErrorKind::NetworkUnreachable.into()),
            Error::Io(lookup),
        ] {
            assert!(matches!(of(error), Failure::NoConnection(_)));
        }
        for error in [
            Error::Timeout(Timeout::RecvResponse),
            Error::Io(ErrorKind::ConnectionReset.into()),
            Error::ConnectProxyFailed("the proxy answered 503".into()),
        ] {
            assert!(matches!(of(error), Failure::Passing { .. }));
        }
        let certificate =
            rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for error in [
            Error::Io(io::Error::new(ErrorKind::InvalidData, certificate)),
            Error::ConnectProxyFailed("407 Proxy Authentication Required".into()),
        ] {
            assert!(matches!(
                of(error),
                Failure::Final(DataError::Refused { .. })
            ));
        }
    }
}
