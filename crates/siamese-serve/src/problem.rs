//! What a request is told where it is not answered: a sentence, as RFC 9457 has it.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

const TYPE: &str = "application/problem+json";
/// A longer answer of the framework's is cut; it has none.
const LONGEST: usize = 4 << 10;

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    /// What went wrong within, for the log.
    fault: Option<String>,
}

/// A problem as it is sent: RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Told {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
}

/// What went wrong within, passed on to the log.
#[derive(Clone)]
pub(crate) struct Fault(pub(crate) String);

impl Problem {
    /// The request is at fault.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            fault: None,
        }
    }

    /// 400
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404
    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503: there is more to do than can be done now.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500: the server is at fault; `why` is for its log alone.
    pub(crate) fn fault(why: impl ToString) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail: "something went wrong here; the server's log says what, by this answer's x-request-id".into(),
            fault: Some(why.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let told = Told {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let body = serde_json::to_vec(&told).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, TYPE)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        if let Some(why) = self.fault {
            response.extensions_mut().insert(Fault(why));
        }
        response
    }
}

/// Turns the framework's own refusals, which are plain text, into problems.
pub(crate) async fn told(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_told = |response: &Response<Body>| {
        let kind = response.headers().get(header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind == TYPE)
    };
    if !(status.is_client_error() || status.is_server_error()) || is_told(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&text).trim() {
        "" => in_words(status).to_string(),
        text => text.to_string(),
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allowed) = parts.headers.get(header::ALLOW) {
        let allowed = allowed.clone();
        problem.headers_mut().insert(header::ALLOW, allowed);
    }
    problem.extensions_mut().extend(parts.extensions);
    problem
}

fn in_words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this address; /api shows what there is",
        StatusCode::METHOD_NOT_ALLOWED => "this address takes other methods; /api shows which",
        StatusCode::PAYLOAD_TOO_LARGE => "the request is larger than this server allows",
        _ => "the request cannot be answered",
    }
}
