//! `model`: what the model is.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::judged::Judged;

/// The model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelInfo {
    /// The last part of where it lies.
    name: String,
    /// What it was trained on; empty where its file does not say.
    data: String,
    trained_on: String,
    /// What it takes: rows, columns and channels.
    height: usize,
    width: usize,
    channels: usize,
    /// Numbers in an embedding.
    embedding: usize,
    /// How embeddings are compared: a distance, or `learned`.
    distance: String,
    threshold: Option<Fitted>,
    /// What other thresholds would have cost on the test pairs of the model's run, where its folder tells.
    judged: Option<Judged>,
}

/// The model's threshold.
#[derive(Serialize, ToSchema)]
struct Fitted {
    /// Below this distance two pictures are called the same.
    value: f64,
    /// What it was fitted to.
    target: String,
    /// The pairs it was fitted on.
    fitted_on: String,
    /// Whether distances are turned into probabilities.
    calibrated: bool,
}

/// What the model is
#[utoipa::path(get, path = "/api/v1/model", tag = "server", responses((status = 200, body = ModelInfo)))]
pub(super) async fn model(State(app): State<Shared>) -> Json<ModelInfo> {
    let model = app.embedder.model();
    let (height, width, channels) = app.shape;
    let name = app
        .embedder
        .place()
        .map(Path::new)
        .and_then(Path::file_name);
    Json(ModelInfo {
        name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        data: model.provenance.data.clone(),
        trained_on: model.provenance.trained_on.clone(),
        height,
        width,
        channels,
        embedding: model.tower.config().embedding,
        distance: match app.metric.is_learned() {
            true => "learned".into(),
            false => model.distance.to_string(),
        },
        threshold: model.threshold.as_ref().map(|fitted| Fitted {
            value: fitted.value,
            target: fitted.target.clone(),
            fitted_on: fitted.fitted_on.clone(),
            calibrated: fitted.calibration.is_some(),
        }),
        judged: app.judged.clone(),
    })
}
