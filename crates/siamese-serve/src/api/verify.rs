//! `verify`: do two pictures show the same thing, and where do they agree?

use std::io::Cursor;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Answer, Asked};
use crate::app::{App, Shared};
use crate::form::Form;
use crate::occlusion::{covered, effects};
use crate::pictures::{Probe, probes, seen};
use crate::problem::Problem;

/// A form with two pictures.
#[derive(ToSchema)]
#[allow(dead_code)] // it is only described
pub(crate) struct TwoPictures {
    #[schema(value_type = String, format = Binary)]
    a: Vec<u8>,
    #[schema(value_type = String, format = Binary)]
    b: Vec<u8>,
}

/// How two pictures are compared.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// Whether to say where they agree and differ, which takes a second or two.
    explain: Option<bool>,
}

/// Whether two pictures show the same thing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    first: String,
    second: String,
    /// Whether the distance is below the threshold; null where the model has none.
    same: Option<bool>,
    distance: f32,
    threshold: Option<f64>,
    /// The probability of "same" for even odds beforehand, where the model is calibrated.
    probability: Option<f64>,
    /// Why each picture is unlike all that the model was trained on, if it is.
    strange: [Option<String>; 2],
    /// Where they agree, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<[Explained; 2]>,
}

/// Where a picture agrees with another.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explained {
    /// The picture as the model sees it: a `data:` address of a PNG.
    seen: String,
    rows: usize,
    columns: usize,
    /// Row by row, by how much the distance grows when the cell is covered: above 0 they agree there, below they differ.
    effect: Vec<f32>,
}

/// Whether two pictures show the same thing
#[utoipa::path(post, path = "/api/v1/verify", tag = "pictures", params(How),
    request_body(content = TwoPictures, content_type = "multipart/form-data"),
    responses((status = 200, body = Verified), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn verify(
    State(app): State<Shared>,
    Asked(how): Asked<How>,
    mut form: Form,
) -> Answer<Verified> {
    let uploads = vec![form.one("a")?, form.one("b")?];
    let names: Vec<String> = uploads.iter().map(|upload| upload.name.clone()).collect();
    let seen = seen(&app, uploads, false).await?;
    let probes = probes(&app, seen.into_iter().map(|one| one.crops).collect()).await?;
    let mut firsts = probes
        .into_iter()
        .filter_map(|of_one| of_one.into_iter().next());
    let (Some(a), Some(b), [first, second]) = (firsts.next(), firsts.next(), &names[..]) else {
        return Err(Problem::bad("there is nothing in a picture to compare"));
    };
    let mut verified = judged(&app, &a, &b)?;
    (verified.first, verified.second) = (first.clone(), second.clone());
    if how.explain == Some(true) {
        let of_a = explained(&app, &a, &b).await?;
        verified.explanation = Some([of_a, explained(&app, &b, &a).await?]);
    }
    Ok(Json(verified))
}

fn judged(app: &App, a: &Probe, b: &Probe) -> Result<Verified, Problem> {
    let verdict = match app.embedder.model().threshold {
        Some(_) => Some(
            app.embedder
                .judge(&a.look(), &b.look())
                .map_err(Problem::fault)?,
        ),
        None => None,
    };
    let verdict = verdict.as_ref();
    let distance = || app.metric.of(&a.embedding, &b.embedding);
    Ok(Verified {
        first: String::new(),
        second: String::new(),
        same: verdict.map(|verdict| verdict.same),
        distance: verdict.map_or_else(distance, |verdict| verdict.distance),
        threshold: verdict.map(|verdict| verdict.threshold),
        probability: verdict.and_then(|verdict| verdict.probability),
        strange: [a, b].map(|probe| probe.crop.strange.map(|strange| strange.to_string())),
        explanation: None,
    })
}

async fn explained(app: &Shared, one: &Probe, other: &Probe) -> Result<Explained, Problem> {
    let covered = covered(&one.crop.pixels, app.shape, app.grid);
    let rows = app.batcher.embed(covered).await?;
    let effect = effects(&app.metric, &rows, &one.embedding, &other.embedding);
    Ok(Explained {
        seen: png(&one.crop.pixels, app.shape)?,
        rows: app.grid,
        columns: app.grid,
        effect,
    })
}

fn png(pixels: &[u8], (height, width, channels): (usize, usize, usize)) -> Result<String, Problem> {
    let mut bytes = Cursor::new(Vec::new());
    let colour = match channels {
        1 => ExtendedColorType::L8,
        _ => ExtendedColorType::Rgb8,
    };
    let written =
        PngEncoder::new(&mut bytes).write_image(pixels, width as u32, height as u32, colour);
    written.map_err(Problem::fault)?;
    Ok(format!(
        "data:image/png;base64,{}",
        STANDARD.encode(bytes.into_inner())
    ))
}
