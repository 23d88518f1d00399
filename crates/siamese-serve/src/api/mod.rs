//! The JSON API: a file per question.

mod embed;
mod enrol;
mod gallery;
mod health;
mod identify;
mod model;
mod search;
mod verify;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::OpenApi as Document;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Shared;
use crate::page;
use crate::problem::Told;

/// What the document says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "siamese",
        description = "Compare pictures, and say of whom or what they are. Everything is a distance: smaller means more alike. \
                       Pictures are sent as multipart/form-data; problems are told as application/problem+json (RFC 9457). \
                       A busy server says 503 with Retry-After."
    ),
    components(schemas(Told))
)]
struct Description;

/// A form with one picture.
#[derive(ToSchema)]
#[allow(dead_code)] // it is only described
struct OnePicture {
    /// JPEG, PNG, WebP, GIF, BMP, TIFF, PNM or HEIC.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// All that is answered, before any guard.
pub(crate) fn router(app: &Shared) -> Router {
    let (router, document) = described().split_for_parts();
    let text: Arc<str> = document.to_json().unwrap_or_default().into();
    let document = move || async move {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (json, text.to_string()).into_response()
    };
    router
        .route("/api/v1/openapi.json", get(document))
        .merge(page::router())
        .with_state(app.clone())
}

fn described() -> OpenApiRouter<Shared> {
    let mut document: Document = Description::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    OpenApiRouter::with_openapi(document)
        .routes(routes!(embed::embed))
        .routes(routes!(verify::verify))
        .routes(routes!(identify::identify))
        .routes(routes!(search::search))
        .routes(routes!(model::model))
        .routes(routes!(health::health))
        .routes(routes!(health::metrics))
        .routes(routes!(gallery::info))
        .routes(routes!(gallery::classes, gallery::remove_class))
        .routes(routes!(gallery::entries, enrol::enrol))
        .routes(routes!(gallery::remove_entry))
        .routes(routes!(gallery::thumbnail))
        .routes(routes!(gallery::rename))
        .routes(routes!(gallery::map))
}
