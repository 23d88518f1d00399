//! What the tests share: a small model, pictures, and requests that need no network.

// Each test binary uses its own part of this.
#![allow(dead_code)]

#[path = "../../../../tests/support/untrained.rs"]
mod untrained;

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use siamese_core::Model;
use siamese_embed::Embedder;
use siamese_gallery::Gallery;
use siamese_serve::{Config, Event, Server};
use tower::ServiceExt;
use untrained::untrained;

pub(crate) const RED: [u8; 3] = [200, 10, 10];
pub(crate) const BLUE: [u8; 3] = [10, 10, 200];

/// A tower that nobody trained, with a threshold: enough to tell colours apart.
pub(crate) fn model() -> Result<Model> {
    untrained(7)
}

/// A server of that model, without a gallery.
pub(crate) fn server(config: Config) -> Result<Server> {
    Ok(Server::new(Embedder::new(model()?), None, config, |_| {})?)
}

/// A server with an empty gallery in `folder`.
pub(crate) fn server_with_gallery(
    folder: &Path,
    config: Config,
    told: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Server> {
    let embedder = Embedder::new(model()?);
    let place = folder.join("people").to_string_lossy().into_owned();
    let gallery = Gallery::create(&place, &embedder)?;
    Ok(Server::new(embedder, Some(gallery), config, told)?)
}

/// A PNG of one colour, 40×30 pixels.
pub(crate) fn png(colour: [u8; 3]) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb(colour))
        .write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| String::from_utf8_lossy(&self.body).into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The sentence of a problem of this status.
    pub(crate) fn problem(&self, status: u16) -> Result<String> {
        let told = self.json()?;
        assert_eq!(
            (self.status.as_u16(), &told["status"]),
            (status, &status.into()),
            "{told}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        Ok(told["detail"].as_str().unwrap_or_default().to_string())
    }

    pub(crate) fn ok(&self) -> Result<Value> {
        assert_eq!(
            self.status,
            StatusCode::OK,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }
}

/// Sends a request with these headers beside its host's.
pub(crate) async fn send(
    router: &Router,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Result<Answer> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(body.into())?).await?;
    let (parts, body) = response.into_parts();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: to_bytes(body, usize::MAX).await?.to_vec(),
    })
}

pub(crate) async fn get(router: &Router, path: &str) -> Result<Answer> {
    send(router, ("GET", path), &[], Body::empty()).await
}

pub(crate) async fn delete(router: &Router, path: &str) -> Result<Answer> {
    send(router, ("DELETE", path), &[], Body::empty()).await
}

/// A field's name, its file's name if it is one, and its bytes.
pub(crate) type Field<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// Posts a form of fields; those with a file's name are files.
pub(crate) async fn post(router: &Router, path: &str, fields: &[Field<'_>]) -> Result<Answer> {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    send(
        router,
        ("POST", path),
        &[("content-type", &kind)],
        form(fields),
    )
    .await
}

pub(crate) const BOUNDARY: &str = "the-line-between";

pub(crate) fn form(fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in fields {
        let file = file
            .map(|file| format!("; filename=\"{file}\""))
            .unwrap_or_default();
        body.extend(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
            )
            .bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}
