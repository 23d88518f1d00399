//! `embed`: the numbers that the model sees in a picture.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::OnePicture;
use crate::answer::Answer;
use crate::app::Shared;
use crate::form::Form;
use crate::pictures::{Probe, asked_about};

/// The embeddings of a picture.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embedded {
    /// What the picture was called.
    file: String,
    /// One for the picture, or one for each part of it that the model is of.
    embeddings: Vec<OneEmbedding>,
}

/// An embedding.
#[derive(Serialize, ToSchema)]
struct OneEmbedding {
    embedding: Vec<f32>,
    /// Why the picture is unlike all that the model was trained on, if it is.
    strange: Option<String>,
    /// Left, top, right and bottom of the part, in pixels of the upright picture; null where it is all of it.
    #[serde(rename = "box")]
    area: Option<[f32; 4]>,
}

/// The embedding of a picture
#[utoipa::path(post, path = "/api/v1/embed", tag = "pictures",
    request_body(content = OnePicture, content_type = "multipart/form-data"),
    responses((status = 200, body = Embedded), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn embed(State(app): State<Shared>, mut form: Form) -> Answer<Embedded> {
    let (file, probes) = asked_about(&app, &mut form).await?;
    let one = |probe: Probe| OneEmbedding {
        embedding: probe.embedding,
        strange: probe.crop.strange.map(|strange| strange.to_string()),
        area: probe.crop.area(),
    };
    Ok(Json(Embedded {
        file,
        embeddings: probes.into_iter().map(one).collect(),
    }))
}
