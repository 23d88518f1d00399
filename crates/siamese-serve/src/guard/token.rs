//! Whose a request is, where a token is asked for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::config::Access;
use crate::gate::Gate;
use crate::problem::Problem;

/// What tells nothing of the model or the gallery: the page without its answers, and whether the server lives.
const OPEN: [&str; 4] = ["/", "/api", "/api/v1/health", "/api/v1/openapi.json"];

pub(super) async fn asked(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_open = OPEN.contains(&path) || path.starts_with("/assets/");
    match &gate.access {
        Access::Token(token) if !is_open && !has(request.headers(), token) => {
            let why = "send the server's token as `Authorization: Bearer TOKEN`";
            let mut refused = Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
            let scheme = HeaderValue::from_static("Bearer");
            refused
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
            refused
        }
        _ => next.run(request).await,
    }
}

/// Compares in a time that tells nothing but the length.
fn has(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().split_at_checked("Bearer ".len()));
    sent.is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(sent.ct_eq(token.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_whole_and_no_other() {
        let sent = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            has(&headers, "secret-of-the-house")
        };
        assert!(sent("Bearer secret-of-the-house") && sent("bearer secret-of-the-house"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "secret-of-the-house",
            "Bearer secret",
            "Basic secret-of-the-house",
        ] {
            assert!(!sent(wrong), "{wrong}");
        }
        assert!(!has(&HeaderMap::new(), "secret-of-the-house"));
    }
}
