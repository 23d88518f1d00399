//! The page: templates that are checked when this is compiled, and assets that lie in the binary.

mod standalone;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

pub use standalone::standalone;

use crate::app::Shared;
use crate::problem::Problem;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! assets {
    ($($name:literal: $kind:expr;)*) => {
        /// Name, kind and text of each asset.
        const ASSETS: &[(&str, &str, &str)] = &[$(($name, $kind, include_str!(concat!("assets/", $name)))),*];
    };
}

assets! {
    "api.js": SCRIPT;
    "compare.js": SCRIPT;
    "dom.js": SCRIPT;
    "field.js": SCRIPT;
    "gallery.js": SCRIPT;
    "heat.js": SCRIPT;
    "identify.js": SCRIPT;
    "main.js": SCRIPT;
    "map.js": SCRIPT;
    "review.js": SCRIPT;
    "tabs.js": SCRIPT;
    "threshold.js": SCRIPT;
    "try.js": SCRIPT;
    "verdict.js": SCRIPT;
    "style.css": "text/css; charset=utf-8";
    "icon.svg": "image/svg+xml";
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    has_gallery: bool,
    wants_token: bool,
    version: &'static str,
}

#[derive(Template)]
#[template(path = "try.html")]
struct Try {
    wants_token: bool,
    version: &'static str,
}

/// The page, the page on which the API can be tried, and what they load.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(index))
        .route("/api", get(try_api))
        .merge(assets())
}

/// What pages load.
pub(crate) fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn index(State(app): State<Shared>) -> Result<Html<String>, Problem> {
    let page = Index {
        has_gallery: app.gallery.is_some(),
        wants_token: app.gate.wants_token(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map(Html).map_err(Problem::fault)
}

async fn try_api(State(app): State<Shared>) -> Result<Html<String>, Problem> {
    let page = Try {
        wants_token: app.gate.wants_token(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().map(Html).map_err(Problem::fault)
}

async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(own, ..)| *own == name);
    let &(_, kind, text) = found.ok_or_else(|| Problem::missing("there is no such asset"))?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, text).into_response())
}

#[cfg(test)]
mod tests {
    use super::ASSETS;

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_written_as_markup() {
        for (name, _, text) in ASSETS {
            for line in text
                .lines()
                .filter(|line| !line.contains("http://www.w3.org/"))
            {
                assert!(!line.contains("://"), "{name}: {line}");
            }
            assert!(
                !text.contains("innerHTML") && !text.contains("eval("),
                "{name}"
            );
        }
    }

    #[test]
    fn every_import_is_an_asset() {
        for (name, _, text) in ASSETS {
            for import in text.split(" from \"./").skip(1) {
                let wanted = import.split('"').next().unwrap();
                let is_there = ASSETS.iter().any(|(own, ..)| *own == wanted);
                assert!(is_there, "{name} imports {wanted}");
            }
        }
    }
}
