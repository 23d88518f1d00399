//! What stands before every request: whence it comes, whose it is, how much there is to do already.

mod headers;
mod load;
mod origin;
mod token;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::event::{Answered, Event};
use crate::gate::Gate;
use crate::problem::{self, Fault, Problem};

/// The router behind all guards; the last layer here sees a request first.
pub(crate) fn guarded(router: Router, gate: &Arc<Gate>) -> Router {
    let gave_up = |_| Problem::fault("a handler panicked").into_response();
    router
        .layer(DefaultBodyLimit::max(gate.limits.body))
        .layer(from_fn_with_state(gate.clone(), load::bounded))
        .layer(from_fn_with_state(gate.clone(), token::asked))
        .layer(from_fn_with_state(gate.clone(), origin::checked))
        .layer(CatchPanicLayer::custom(gave_up))
        .layer(from_fn(problem::told))
        .layer(from_fn(headers::set))
        .layer(from_fn_with_state(gate.clone(), counted))
}

/// Numbers a request, and tells of it when it is answered.
async fn counted(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (id, begun) = (gate.next_id(), Instant::now());
    let method = request.method().clone();
    let path = request.uri().path().to_string();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_string();
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::try_from(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    if let Some(Fault(why)) = response.extensions_mut().remove() {
        let id = id.clone();
        (gate.told)(Event::Fault { id, why });
    }
    let (status, time) = (response.status().as_u16(), begun.elapsed());
    let known = ["GET", "HEAD", "POST", "DELETE"];
    let known = known.into_iter().find(|known| *known == method.as_str());
    gate.meters
        .answered(known.unwrap_or("other"), &route, status, time);
    (gate.told)(Event::Answered(Answered {
        id,
        method: method.to_string(),
        path,
        status,
        time,
    }));
    response
}
