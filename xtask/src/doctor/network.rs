//! Whether the Hugging Face hub can be reached.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::finding::{Finding, Status};

const PATIENCE: Duration = Duration::from_secs(5);
const ADVICE: &str = "no harm: the bundled sample and `--data PATH` need no network";

/// Opens a connection to the hub, and closes it again.
pub(super) fn finding() -> Finding {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_string());
    let lacking =
        |found: String| Finding::new("Network", "hub", Status::Lacking, found).advise(ADVICE);
    if set("HF_HUB_OFFLINE").is_some_and(|value| is_yes(&value)) {
        return lacking("HF_HUB_OFFLINE is set: the network is left alone".to_string());
    }
    let Some((host, port)) = host_and_port(&endpoint) else {
        return lacking(format!(
            "HF_ENDPOINT `{endpoint}` is no http or https address"
        ));
    };
    match connect(&host, port) {
        Ok(()) => Finding::new(
            "Network",
            "hub",
            Status::Good,
            format!("{endpoint} can be reached"),
        ),
        Err(error) => lacking(format!("{endpoint} cannot be reached: {error}")),
    }
}

/// What Python's `huggingface_hub` takes for a yes.
fn is_yes(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

fn connect(host: &str, port: u16) -> std::io::Result<()> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Takes `scheme://host[:port][/path]` apart; an IPv6 host stands in brackets.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = rest.split('/').next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_string(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_taken_apart() {
        for (url, host, port) in [
            ("https://huggingface.co", "huggingface.co", 443),
            ("http://127.0.0.1:8080/hub/", "127.0.0.1", 8080),
            ("http://[::1]:9", "::1", 9),
            ("https://[::1]", "::1", 443),
            (
                "https://me:secret@hub.example.org/x",
                "hub.example.org",
                443,
            ),
        ] {
            assert_eq!(host_and_port(url), Some((host.to_string(), port)), "{url}");
        }
        for url in ["huggingface.co", "ftp://x", "https://", "http://x:port"] {
            assert_eq!(host_and_port(url), None, "{url}");
        }
    }

    #[test]
    fn offline_is_what_the_hub_s_own_client_takes_for_it() {
        assert!(["1", "on", "Yes", "TRUE"].into_iter().all(is_yes));
        assert!(!["0", "", "off", "no"].into_iter().any(is_yes));
    }

    #[test]
    fn a_listening_port_is_reached_and_a_closed_one_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(connect("127.0.0.1", port).is_ok());
        drop(listener);
        assert!(connect("127.0.0.1", port).is_err());
    }
}
