//! `identify`: of whom or what in the gallery is a picture?

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use siamese_gallery::{Identify, Match, Together};
use utoipa::{IntoParams, ToSchema};

use super::OnePicture;
use crate::answer::{Answer, Asked, count};
use crate::app::Shared;
use crate::form::Form;
use crate::pictures::asked_about;

/// Classes that are told where nothing is said.
const USUAL: usize = 5;

/// How to identify.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// Classes to tell, nearest first; 5 if it is not said.
    k: Option<usize>,
    /// How several examples of a class count together: `nearest` if it is not said.
    together: Option<By>,
    /// The distance from which on a probe is unknown, in place of the gallery's own.
    threshold: Option<f64>,
}

/// How several examples of a class count together.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// A class is as far as the nearest of its examples.
    Nearest,
    /// A class is as far as its examples are on average.
    Mean,
}

/// Of whom or what the parts of a picture are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Answers<T> {
    /// What the picture was called.
    pub(super) probe: String,
    /// One for the picture, or one for each part of it that the model is of.
    pub(super) answers: Vec<T>,
}

/// Of whom or what a picture is.
#[derive(Serialize, ToSchema)]
pub(crate) struct IdentifiedPart {
    /// Whether the nearest class is within the threshold; null where there is no threshold.
    known: Option<bool>,
    /// The nearest class; null where it is unknown.
    class: Option<String>,
    /// How far the nearest class is.
    distance: Option<f32>,
    /// The distance from which on a probe is unknown.
    threshold: Option<f64>,
    /// The probability that the probe and the nearest class are the same, for even odds beforehand.
    probability: Option<f64>,
    /// The nearest classes, nearest first, each with the nearest of its examples.
    matches: Vec<Near>,
    /// Why the picture is unlike all that the model was trained on, if it is.
    strange: Option<String>,
    /// Left, top, right and bottom of the part, in pixels of the upright picture; null where it is all of it.
    #[serde(rename = "box")]
    area: Option<[f32; 4]>,
}

/// An entry that is near.
#[derive(Serialize, ToSchema)]
pub(crate) struct Near {
    class: String,
    name: String,
    distance: f32,
    id: i64,
}

impl From<Match> for Near {
    fn from(near: Match) -> Self {
        Self {
            class: near.class,
            name: near.name,
            distance: near.distance,
            id: near.id,
        }
    }
}

/// Of whom or what in the gallery a picture is
#[utoipa::path(post, path = "/api/v1/identify", tag = "pictures", params(How),
    request_body(content = OnePicture, content_type = "multipart/form-data"),
    responses((status = 200, body = Answers<IdentifiedPart>), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn identify(
    State(app): State<Shared>,
    Asked(how): Asked<How>,
    mut form: Form,
) -> Answer<Answers<IdentifiedPart>> {
    app.served()?;
    let how = Identify {
        classes: count(how.k, USUAL, app.limits.k)?,
        together: match how.together {
            Some(By::Mean) => Together::Mean,
            Some(By::Nearest) | None => Together::Nearest,
        },
        threshold: how.threshold,
    };
    let (probe, found) = asked_about(&app, &mut form).await?;
    let answers = app.ask(move |gallery| {
        let mut answers = Vec::with_capacity(found.len());
        let threshold = match how.threshold {
            Some(told) => Some(told),
            None => gallery.limit(how.together)?.threshold,
        };
        for probe in found {
            let answer = gallery.identify(&probe.embedding, &how)?;
            let nearest = answer.matches.first();
            answers.push(IdentifiedPart {
                known: answer.known,
                class: nearest
                    .filter(|_| answer.known != Some(false))
                    .map(|near| near.class.clone()),
                distance: nearest.map(|near| near.distance),
                threshold,
                probability: answer.probability,
                matches: answer.matches.into_iter().map(Near::from).collect(),
                strange: probe.crop.strange.map(|strange| strange.to_string()),
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
