//! How many requests that cost something are worked on at once, and for how long.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::gate::Gate;
use crate::problem::Problem;

/// What is asked of the gallery takes a thread that waits for it.
const GALLERY: &str = "/api/v1/gallery";

pub(super) async fn bounded(
    State(gate): State<Arc<Gate>>,
    request: Request,
    next: Next,
) -> Response {
    let asks_the_gallery = request.uri().path().starts_with(GALLERY);
    let _permit = match request.method().is_safe() && !asks_the_gallery {
        true => None,
        false => match gate.admission.try_acquire() {
            Ok(permit) => Some(permit),
            Err(_) => {
                let most = gate.limits.requests;
                let why = format!("{most} requests are worked on already; try again in a second");
                return Problem::busy(why).into_response();
            }
        },
    };
    // a body that does not arrive is told as such first
    let time = gate.limits.time * 2;
    match timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let seconds = time.as_secs();
            Problem::busy(format!("there was no answer within {seconds} s")).into_response()
        }
    }
}
