//! The connections: their times, the certificates they trust, and for each scheme its proxy.

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use super::address::Origin;
use super::options::HubOptions;
use super::proxies::Proxies;
use super::roots;
use crate::DataError;

/// A pool of connections for each way out.
pub(super) struct Agents {
    direct: Agent,
    http: Agent,
    https: Agent,
    proxies: Proxies,
}

impl Agents {
    /// # Errors
    ///
    /// [`DataError::Setting`] if the certificates that were named cannot be read.
    pub(super) fn new(options: &HubOptions) -> Result<Self, DataError> {
        let roots = roots::trusted(&options.certificates)?;
        let proxies = options.proxies.clone();
        let by = |proxy: Option<&Proxy>| agent(options, roots.clone(), proxy.cloned());
        Ok(Self {
            direct: by(None),
            http: by(proxies.http.as_ref()),
            https: by(proxies.https.as_ref()),
            proxies,
        })
    }

    /// The way to `url`, and the proxy on it.
    pub(super) fn to(&self, url: &str) -> (&Agent, Option<&Proxy>) {
        let Some(origin) = Origin::of(url) else {
            return (&self.direct, None);
        };
        match (self.proxies.to(&origin), origin.is_https()) {
            (None, _) => (&self.direct, None),
            (proxy, true) => (&self.https, proxy),
            (proxy, false) => (&self.http, proxy),
        }
    }
}

fn agent(options: &HubOptions, roots: RootCerts, proxy: Option<Proxy>) -> Agent {
    Agent::config_builder()
        .user_agent(concat!("siamese/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_recv_response(Some(options.read_timeout))
        .timeout_per_read(Some(options.read_timeout))
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread;

    use super::super::client::Client;
    use super::*;
    use crate::Progress;
    use crate::variables::Variables;

    /// A proxy that refuses, and the first line it was told.
    fn proxy() -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let told = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
            let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            socket.write_all(answer).unwrap();
            first
        });
        (place, told)
    }

    #[test]
    fn a_proxy_is_gone_through_and_its_refusal_told_at_once_without_its_password() {
        let (place, told) = proxy();
        let look = |name: &str| match name {
            "HTTP_PROXY" => Some(format!("http://me:secret@{place}").into()),
            "NO_PROXY" => Some("a, b".into()),
            _ => None,
        };
        let options = HubOptions {
            proxies: Proxies::read(&Variables(&look)).unwrap(),
            ..HubOptions::new("http://hub.invalid", Path::new("none"))
        };
        let client = Client::new(&options, Progress::Silent).unwrap();
        let error = client
            .metadata("http://hub.invalid/x")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("by the proxy {place}")) && error.contains("407"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(told.join().unwrap(), "CONNECT hub.invalid:80 HTTP/1.1");
    }
}
