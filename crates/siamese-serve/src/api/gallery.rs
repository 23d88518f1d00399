//! `gallery`: what is enrolled, seen and changed.

use std::path::Path as FilePath;
use std::sync::PoisonError;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use siamese_gallery::{Filter, Row, Together};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Answer, Asked, count};
use crate::app::Shared;
use crate::plane::{Copied, Map, Plane};
use crate::problem::Problem;

/// Entries of a page where nothing is said.
const USUAL: usize = 50;
/// Entries of a page at most.
const MOST: usize = 500;

/// What the gallery is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Info {
    /// The last part of where it lies.
    place: String,
    entries: usize,
    classes: usize,
    /// On the disk.
    bytes: u64,
    /// The distance from which on a probe is unknown.
    threshold: Option<f64>,
    /// What that rests on.
    threshold_is: String,
}

/// A class.
#[derive(Serialize, ToSchema)]
pub(crate) struct Class {
    class: String,
    entries: usize,
}

/// Some entries.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page {
    entries: Vec<Listed>,
    /// The number after which the next page begins; null where this was the last.
    next: Option<i64>,
}

/// An entry.
#[derive(Serialize, ToSchema)]
struct Listed {
    id: i64,
    class: String,
    name: String,
    /// SHA-256 of the picture's file.
    hash: Option<String>,
    /// When it was enrolled, in seconds since 1970.
    time: i64,
    /// Free JSON.
    #[schema(value_type = Object)]
    data: Value,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Of this class alone.
    class: Option<String>,
    /// Those whose numbers are greater.
    after: Option<i64>,
    /// So many; 50 if it is not said.
    limit: Option<usize>,
}

/// A class and its new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renaming {
    /// The class as it is called.
    from: String,
    /// As it is to be called; where there is one of that name, both become one.
    to: String,
}

/// Of what a class was renamed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Renamed {
    /// Entries that have another class now.
    renamed: usize,
    /// Whether there was a class of that name.
    joined: bool,
}

/// What went.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Entries.
    removed: usize,
}

/// Which class.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfClass {
    class: String,
}

/// What the gallery is
#[utoipa::path(get, path = "/api/v1/gallery", tag = "gallery", responses((status = 200, body = Info)))]
pub(super) async fn info(State(app): State<Shared>) -> Answer<Info> {
    let info = app.ask(|gallery| {
        let classes = gallery.classes()?;
        let limit = gallery.limit(Together::Nearest)?;
        let place = FilePath::new(gallery.place()).file_name();
        Ok(Info {
            place: place.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            entries: classes.values().sum(),
            classes: classes.len(),
            bytes: gallery.size()?,
            threshold: limit.threshold,
            threshold_is: limit.why,
        })
    });
    Ok(Json(info.await?))
}

/// The classes, by name
#[utoipa::path(get, path = "/api/v1/gallery/classes", tag = "gallery", responses((status = 200, body = Vec<Class>)))]
pub(super) async fn classes(State(app): State<Shared>) -> Answer<Vec<Class>> {
    let classes = app.ask(|gallery| gallery.classes()).await?;
    let class = |(class, entries)| Class { class, entries };
    Ok(Json(classes.into_iter().map(class).collect()))
}

/// Entries by their numbers, a page at a time
#[utoipa::path(get, path = "/api/v1/gallery/entries", tag = "gallery", params(Which), responses((status = 200, body = Page)))]
pub(super) async fn entries(State(app): State<Shared>, Asked(which): Asked<Which>) -> Answer<Page> {
    let limit = count(which.limit, USUAL, MOST)?;
    let filter = Filter {
        class: which.class,
        ..Filter::default()
    };
    let after = which.after.unwrap_or_default();
    let rows = app.ask(move |gallery| gallery.page(&filter, after, limit));
    let rows: Vec<Row> = rows.await?;
    let last = rows.last().map(|row| row.id);
    let listed = |Row { id, entry }| Listed {
        id,
        class: entry.class,
        name: entry.name,
        hash: entry.hash,
        time: entry.time,
        data: entry.data,
    };
    Ok(Json(Page {
        next: last.filter(|_| rows.len() == limit),
        entries: rows.into_iter().map(listed).collect(),
    }))
}

/// The small picture of an entry
#[utoipa::path(get, path = "/api/v1/gallery/entries/{id}/thumbnail", tag = "gallery", params(("id" = i64, Path,)),
    responses((status = 200, content_type = "image/jpeg", body = String), (status = 404, body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn thumbnail(
    State(app): State<Shared>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let row =
        app.ask(move |gallery| Ok(gallery.page(&with_id(id), id.saturating_sub(1), 1)?.pop()));
    let thumbnail = row.await?.and_then(|row| row.entry.thumbnail);
    let none = || Problem::missing(format!("the gallery has no picture of an entry {id}"));
    // a number is never given to another entry
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=86400"),
    ];
    Ok((headers, thumbnail.ok_or_else(none)?).into_response())
}

/// Removes an entry
#[utoipa::path(delete, path = "/api/v1/gallery/entries/{id}", tag = "gallery", params(("id" = i64, Path,)),
    responses((status = 200, body = Removed), (status = 404, body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn remove_entry(
    State(app): State<Shared>,
    Path(id): Path<i64>,
) -> Answer<Removed> {
    removed(&app, with_id(id), format!("the gallery has no entry {id}")).await
}

/// Removes a class with all its entries
#[utoipa::path(delete, path = "/api/v1/gallery/classes", tag = "gallery", params(OfClass),
    responses((status = 200, body = Removed), (status = 404, body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn remove_class(
    State(app): State<Shared>,
    Asked(which): Asked<OfClass>,
) -> Answer<Removed> {
    let none = format!("the gallery has no class {:?}", which.class);
    let filter = Filter {
        class: Some(which.class),
        ..Filter::default()
    };
    removed(&app, filter, none).await
}

/// Gives a class another name
#[utoipa::path(post, path = "/api/v1/gallery/rename", tag = "gallery", request_body = Renaming,
    responses((status = 200, body = Renamed), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn rename(
    State(app): State<Shared>,
    Json(names): Json<Renaming>,
) -> Answer<Renamed> {
    let Renaming { from, to } = names;
    let to = class_name(&to)?;
    let none = format!("the gallery has no class {from:?}");
    let renamed = app.ask(move |gallery| {
        let classes = gallery.classes()?;
        if !classes.contains_key(&from) {
            return Ok(None);
        }
        let joined = classes.contains_key(&to) && from != to;
        let renamed = gallery.rename(&from, &to)?;
        Ok(Some(Renamed { renamed, joined }))
    });
    renamed
        .await?
        .map(Json)
        .ok_or_else(|| Problem::missing(none))
}

/// The gallery laid out in the plane, where near means alike
#[utoipa::path(get, path = "/api/v1/gallery/map", tag = "gallery", responses((status = 200, body = Map)))]
pub(super) async fn map(State(app): State<Shared>) -> Result<Response, Problem> {
    let copied = app.ask(Copied::of).await?;
    let kept = app.served()?.plane.clone();
    let drawn = tokio::task::spawn_blocking(move || {
        // one draws, others that ask meanwhile wait for it
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let plane = Plane::of(copied, kept.take())?;
        Ok(kept.insert(plane).map.clone())
    });
    let map = drawn.await.map_err(Problem::fault)??;
    Ok(Json(&*map).into_response())
}

async fn removed(app: &Shared, filter: Filter, none: String) -> Answer<Removed> {
    match app.ask(move |gallery| gallery.remove(&filter)).await? {
        0 => Err(Problem::missing(none)),
        removed => Ok(Json(Removed { removed })),
    }
}

fn with_id(id: i64) -> Filter {
    Filter {
        id: Some(id),
        ..Filter::default()
    }
}

/// A class as people may name it.
pub(super) fn class_name(name: &str) -> Result<String, Problem> {
    const LONGEST: usize = 200;
    let name = name.trim();
    let wrong = match name {
        "" => "a class's name is empty",
        long if long.chars().count() > LONGEST => "a class's name has more than 200 characters",
        odd if odd.contains(|c: char| c.is_control() || siamese_files::is_illegible(c)) => {
            "a class's name has a character that cannot be seen"
        }
        name => return Ok(name.to_string()),
    };
    Err(Problem::bad(wrong))
}
