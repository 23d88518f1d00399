//! Requests that another site makes a browser send: refused.
//!
//! Two ways are closed. A page elsewhere may post to this server (cross-site request forgery): browsers say so by
//! `Sec-Fetch-Site` and `Origin`. And a page may let its own name point to this machine (DNS rebinding): it is then called
//! by that name, in `Host`. Neither can harm where a token is asked for; the first is refused there, too.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Access;
use crate::gate::Gate;
use crate::problem::Problem;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) async fn checked(
    State(gate): State<Arc<Gate>>,
    request: Request,
    next: Next,
) -> Response {
    let host = host(&request);
    if !matches!(gate.access, Access::Token(_)) && !is_ours(host, &gate.names) {
        let why =
            "this server is not called so; open it by its address, or start it with --name NAME";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    if !request.method().is_safe() && is_foreign(request.headers(), host) {
        let why = "another site's page may not send requests to this server";
        return Problem::new(StatusCode::FORBIDDEN, why).into_response();
    }
    next.run(request).await
}

/// What the server is called: name and port.
fn host(request: &Request) -> &str {
    let named = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let header = || request.headers().get(header::HOST)?.to_str().ok();
    named.or_else(header).unwrap_or_default()
}

/// An address cannot be made to point elsewhere; a name can.
fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_same = |other: &String| other.eq_ignore_ascii_case(name);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(is_same)
}

fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    let of = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let by_site = of(SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_own = |origin: &str| {
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        !host.is_empty() && authority.eq_ignore_ascii_case(host)
    };
    by_site || of(header::ORIGIN).is_some_and(|origin| !is_own(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_told_names_are_ours() {
        let names = ["models.example".to_string()];
        for ours in [
            "127.0.0.1:80",
            "[::1]:8000",
            "localhost",
            "LOCALHOST:1",
            "10.0.0.7",
            "models.example:443",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "models.example.evil",
            ":80",
        ] {
            assert!(!is_ours(other, &names), "{other}");
        }
    }

    #[test]
    fn a_foreign_page_is_known_by_either_header() {
        let foreign = |site: Option<&str>, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            let mut set = |name, value: Option<&str>| {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            };
            set(SITE, site);
            set(header::ORIGIN, origin);
            is_foreign(&headers, "127.0.0.1:8000")
        };
        let own = Some("http://127.0.0.1:8000");
        for (site, origin) in [
            (None, None),
            (Some("same-origin"), own),
            (Some("none"), None),
            (None, own),
        ] {
            assert!(!foreign(site, origin), "{site:?} {origin:?}");
        }
        let other_port = Some("http://127.0.0.1:8001");
        for (site, origin) in [
            (Some("cross-site"), None),
            (Some("same-site"), own),
            (None, Some("null")),
            (None, other_port),
            (Some("same-origin"), Some("https://evil.example")),
        ] {
            assert!(foreign(site, origin), "{site:?} {origin:?}");
        }
    }
}
