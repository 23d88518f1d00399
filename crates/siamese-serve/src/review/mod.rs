//! A labelled folder looked through by a person: wrong pictures are moved to another class, or discarded, and brought back.

mod folder;

use std::io::Cursor;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use serde::{Deserialize, Serialize};
use siamese_data::{PictureLimits, decode};
use tokio::sync::Semaphore;

use self::folder::Folder;
use crate::answer::Answer;
use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::gate::Gate;
use crate::problem::Problem;
use crate::{guard, page, server};

/// No side of a shown picture is longer, in pixels.
const SIDE: usize = 320;
const JPEG_QUALITY: u8 = 88;

/// A labelled folder to be looked through.
pub struct Review {
    desk: Arc<Desk>,
    config: Config,
}

/// What all requests share.
struct Desk {
    folder: Mutex<Folder>,
    name: String,
    gate: Arc<Gate>,
    /// Pictures that are decoded.
    decoders: Semaphore,
}

#[derive(Template)]
#[template(path = "review.html")]
struct Page<'a> {
    name: &'a str,
    wants_token: bool,
    version: &'static str,
}

/// All that is to be looked at.
#[derive(Serialize)]
struct Listed {
    classes: Vec<String>,
    crops: Vec<ListedCrop>,
    /// Moves that can be taken back.
    moves: usize,
}

#[derive(Serialize)]
struct ListedCrop {
    id: usize,
    class: Option<String>,
    name: String,
    finding: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    ids: Vec<usize>,
    /// Null discards.
    class: Option<String>,
}

/// What changed.
#[derive(Serialize)]
struct Changed {
    crops: Vec<ListedCrop>,
    moves: usize,
}

impl Review {
    /// Lists a labelled folder, and looks for what is wrong in it; that comes first. What happens is told by `told`.
    ///
    /// # Errors
    /// No labelled folder; a configuration that cannot work or would be open to others by accident.
    pub fn new(
        folder: &FilePath,
        config: Config,
        told: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        config.check()?;
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let desk = Desk {
            folder: Mutex::new(Folder::open(folder)?),
            name: name.to_string_lossy().into_owned(),
            gate: Arc::new(Gate::new(&config, told)),
            decoders: Semaphore::new(threads),
        };
        Ok(Self {
            desk: Arc::new(desk),
            config,
        })
    }

    /// What answers requests, to be called without a network.
    pub fn router(&self) -> Router {
        let router = Router::new()
            .route("/", get(index))
            .route("/api/v1/review", get(list))
            .route("/api/v1/review/put", post(put))
            .route("/api/v1/review/undo", post(undo))
            .route("/api/v1/review/{id}/picture", get(picture))
            .merge(page::assets())
            .with_state(self.desk.clone());
        guard::guarded(router, &self.desk.gate)
    }

    /// Listens until the process is asked to end.
    ///
    /// # Errors
    /// An address that is taken.
    pub fn run(self) -> Result<(), Error> {
        server::run(self.router(), &self.config, &self.desk.gate)
    }
}

impl Desk {
    fn folder(&self) -> MutexGuard<'_, Folder> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listed(folder: &Folder, id: usize) -> ListedCrop {
    let crop = &folder.crops[id];
    ListedCrop {
        id,
        class: crop.class.clone(),
        name: crop.name.clone(),
        finding: crop.finding.clone(),
    }
}

async fn index(State(desk): State<Arc<Desk>>) -> Result<Html<String>, Problem> {
    let page = Page {
        name: &desk.name,
        wants_token: desk.gate.wants_token(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map(Html).map_err(Problem::fault)
}

async fn list(State(desk): State<Arc<Desk>>) -> Json<Listed> {
    let folder = desk.folder();
    Json(Listed {
        classes: folder.classes.clone(),
        crops: (0..folder.crops.len())
            .map(|id| listed(&folder, id))
            .collect(),
        moves: folder.moves.len(),
    })
}

async fn put(State(desk): State<Arc<Desk>>, Json(put): Json<Put>) -> Answer<Changed> {
    let mut folder = desk.folder();
    let Put { ids, class } = put;
    if let Some(id) = ids.iter().find(|id| **id >= folder.crops.len()) {
        return Err(Problem::missing(format!("there is no picture {id}")));
    }
    if let Some(class) = class
        .as_ref()
        .filter(|class| !folder.classes.contains(class))
    {
        return Err(Problem::missing(format!("there is no class {class:?}")));
    }
    let mut crops = Vec::new();
    for id in ids {
        if folder.crops[id].class != class {
            folder.put(id, class.as_deref()).map_err(Problem::fault)?;
        }
        crops.push(listed(&folder, id));
    }
    let moves = folder.moves.len();
    Ok(Json(Changed { crops, moves }))
}

async fn undo(State(desk): State<Arc<Desk>>) -> Answer<Changed> {
    let mut folder = desk.folder();
    let back = folder.take_back().map_err(Problem::fault)?;
    let crops = back.map(|id| listed(&folder, id)).into_iter().collect();
    let moves = folder.moves.len();
    Ok(Json(Changed { crops, moves }))
}

async fn picture(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<usize>,
) -> Result<Response, Problem> {
    let none = || Problem::missing(format!("there is no picture {id}"));
    let file = desk.folder().crops.get(id).map(|crop| crop.file.clone());
    let file = file.ok_or_else(none)?;
    let _permit = desk.decoders.acquire().await;
    let limits = PictureLimits::of_pixels(desk.gate.limits.pixels);
    let work = tokio::task::spawn_blocking(move || {
        let bytes = std::fs::read(&file).map_err(Problem::fault)?;
        let picture = decode(&bytes, &limits, None).map_err(|why| Problem::bad(why.to_string()))?;
        let (pixels, (height, width)) = picture.thumbnail(SIDE);
        let mut jpeg = Cursor::new(Vec::new());
        JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
            .encode(
                &pixels,
                width as u32,
                height as u32,
                ExtendedColorType::Rgb8,
            )
            .map_err(Problem::fault)?;
        Ok::<_, Problem>(jpeg.into_inner())
    });
    let jpeg = work.await.map_err(Problem::fault)??;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=600"),
    ];
    Ok((headers, jpeg).into_response())
}
