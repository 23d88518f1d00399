//! `search`: what in the gallery is nearest to a picture.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use siamese_gallery::Filter;
use utoipa::{IntoParams, ToSchema};

use super::OnePicture;
use super::identify::{Answers, Near};
use crate::answer::{Answer, Asked, count};
use crate::app::Shared;
use crate::form::Form;
use crate::pictures::asked_about;
use crate::problem::Problem;

/// Entries that are found where nothing is said.
const USUAL: usize = 10;

/// Among what to search.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// Entries to find; 10 if it is not said.
    k: Option<usize>,
    /// Among those alone of which this holds: `class=anna`, `name=…`, `id=…`, or `KEY=…` of the free JSON.
    r#where: Option<String>,
}

/// What is near.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundPart {
    matches: Vec<Near>,
    /// Left, top, right and bottom of the part, in pixels of the upright picture; null where it is all of it.
    #[serde(rename = "box")]
    area: Option<[f32; 4]>,
}

/// What in the gallery is nearest to a picture
#[utoipa::path(post, path = "/api/v1/search", tag = "pictures", params(How),
    request_body(content = OnePicture, content_type = "multipart/form-data"),
    responses((status = 200, body = Answers<FoundPart>), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn search(
    State(app): State<Shared>,
    Asked(how): Asked<How>,
    mut form: Form,
) -> Answer<Answers<FoundPart>> {
    app.served()?;
    let k = count(how.k, USUAL, app.limits.k)?;
    let filter =
        Filter::parse(how.r#where.as_slice()).map_err(|why| Problem::bad(why.to_string()))?;
    let (probe, found) = asked_about(&app, &mut form).await?;
    let answers = app.ask(move |gallery| {
        let mut answers = Vec::with_capacity(found.len());
        for probe in found {
            let matches = gallery.search(&probe.embedding, k, &filter)?;
            answers.push(FoundPart {
                matches: matches.into_iter().map(Near::from).collect(),
                area: probe.crop.area(),
            });
        }
        Ok(answers)
    });
    Ok(Json(Answers {
        probe,
        answers: answers.await?,
    }))
}
