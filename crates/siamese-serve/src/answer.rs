//! Results of handlers, and what is read from a request beside its pictures.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// What a handler answers.
pub(crate) type Answer<T> = Result<axum::Json<T>, Problem>;

/// What follows the question mark, read into `T`.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        let axum::extract::Query(asked) = query.map_err(|why| Problem::bad(why.body_text()))?;
        Ok(Self(asked))
    }
}

/// As many as were asked for, where that is allowed.
pub(crate) fn count(asked: Option<usize>, usual: usize, most: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(usual.min(most)),
        Some(0) => Err(Problem::bad("k=0: ask for at least one")),
        Some(k) if k > most => Err(Problem::bad(format!(
            "k={k}, where at most {most} are allowed"
        ))),
        Some(k) => Ok(k),
    }
}
