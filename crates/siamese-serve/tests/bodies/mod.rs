//! Requests that nobody would send on purpose: sound ones, damaged in their forms, their JSON, their pictures, their heads.

use std::io::Cursor;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use image::{ImageFormat, RgbImage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use siamese_serve::{Config, Limits};
use tower::ServiceExt;

const BOUNDARY: &str = "the-line-between";
const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::WebP,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
];
/// What parsers stumble over.
const PIECES: [&[u8]; 14] = [
    b"\r\n",
    b"\r\n\r\n",
    b"--the-line-between",
    b"--the-line-between--\r\n",
    b"\0",
    b"\xff\xfe",
    b"\"",
    b"filename*=UTF-8''%00",
    b"{",
    b"[[[[[[[[[[[[[[[[",
    b"1e999",
    b"\\ud800",
    b"null",
    b"Content-Disposition: form-data; name=\"image\"\r\n",
];
const FORMS: [(&str, &[&str]); 7] = [
    ("embed", &["image"]),
    ("verify", &["a", "b"]),
    ("verify?explain=false", &["a", "b"]),
    ("identify?k=3&together=mean", &["image"]),
    ("search?k=2&where=class%3Dc", &["image"]),
    ("gallery/entries", &["class", "image"]),
    ("embed", &["image", "text"]),
];
const OTHERS: [(&str, &str); 8] = [
    ("GET", "gallery/entries?limit=3&after=0&class=c"),
    ("GET", "gallery/entries/1/thumbnail"),
    ("DELETE", "gallery/entries/1"),
    ("DELETE", "gallery/classes?class=c"),
    ("GET", "gallery/map"),
    ("GET", "gallery"),
    ("POST", "gallery/rename"),
    ("POST", "gallery/rename"),
];

/// A server that waits for no batch and takes small pictures alone.
pub(crate) fn config() -> Config {
    let limits = Limits {
        window: Duration::ZERO,
        pixels: 4_000_000,
        ..Limits::default()
    };
    Config {
        limits,
        ..Config::default()
    }
}

/// Requests, drawn one after another.
pub(crate) struct Bodies {
    random: ChaCha8Rng,
    pictures: Vec<Vec<u8>>,
}

impl Bodies {
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let picture = |format| -> Result<Vec<u8>> {
            let mut bytes = Cursor::new(Vec::new());
            RgbImage::from_fn(9, 6, |x, y| {
                image::Rgb([(x * 25) as u8, (y * 40) as u8, 90])
            })
            .write_to(&mut bytes, format)?;
            Ok(bytes.into_inner())
        };
        Ok(Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            pictures: FORMATS.into_iter().map(picture).collect::<Result<_>>()?,
        })
    }

    /// The next request.
    pub(crate) fn draw(&mut self) -> Result<Request<Body>> {
        match self.random.random_range(0..10) {
            0..8 => self.form(),
            _ => self.other(),
        }
    }

    fn form(&mut self) -> Result<Request<Body>> {
        let (path, fields) = FORMS[self.random.random_range(0..FORMS.len())];
        let mut body = Vec::new();
        for field in fields {
            let file = if self.random.random_bool(0.5) {
                "; filename=\"x.png\""
            } else {
                ""
            };
            body.extend(
                format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{file}\r\n\r\n"
                )
                .bytes(),
            );
            match *field {
                "class" | "text" => body.extend(b"c"),
                _ => body.extend(self.picture()),
            }
            body.extend(b"\r\n");
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        // most damage lies in the pictures already
        if self.random.random_bool(0.4) {
            self.damage(&mut body);
        }
        let kind = match self.random.random_range(0..40) {
            0 => "multipart/form-data".to_string(),
            1 => "multipart/form-data; boundary=".into(),
            2 => "application/json".into(),
            3 => format!("multipart/mixed; boundary={BOUNDARY}"),
            _ => format!("multipart/form-data; boundary={BOUNDARY}"),
        };
        self.request("POST", path, &kind, body)
    }

    fn picture(&mut self) -> Vec<u8> {
        let mut picture = self.pictures[self.random.random_range(0..self.pictures.len())].clone();
        if self.random.random_bool(0.8) {
            self.damage(&mut picture);
        }
        picture
    }

    fn other(&mut self) -> Result<Request<Body>> {
        let (method, path) = OTHERS[self.random.random_range(0..OTHERS.len())];
        let mut body = match method {
            "POST" => br#"{"from": "c", "to": "d"}"#.to_vec(),
            _ => Vec::new(),
        };
        if self.random.random_bool(0.8) {
            self.damage(&mut body);
        }
        self.request(method, path, "application/json", body)
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Request<Body>> {
        let mut path = format!("/api/v1/{path}").into_bytes();
        if self.random.random_bool(0.1) {
            let at = self.random.random_range(8..path.len());
            path[at] = self.random.random_range(b'!'..=b'~');
        }
        let built = Request::builder()
            .method(method)
            .uri(&path[..])
            .header("host", "127.0.0.1")
            .header("content-type", kind)
            .body(Body::from(body.clone()));
        match built {
            Ok(request) => Ok(request),
            // no client could send that address
            Err(_) => self.request(method, "embed", kind, body),
        }
    }

    /// A few flips, cuts, repetitions and insertions.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.random.random_range(1..6) {
            let at = self.random.random_range(0..=bytes.len());
            match self.random.random_range(0..6) {
                0 => bytes.truncate(at),
                1 => {
                    let piece = PIECES[self.random.random_range(0..PIECES.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
                2 => {
                    let to = self.random.random_range(at..=bytes.len().min(at + 40));
                    let part = bytes[at..to].to_vec();
                    bytes.splice(at..at, part);
                }
                3 => {
                    let to = self.random.random_range(at..=bytes.len().min(at + 40));
                    bytes.drain(at..to);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.random.random();
                    }
                }
            }
        }
    }
}

/// Sends a request; its status, and what it said where that is none that a client should see.
pub(crate) async fn answered(
    router: Router,
    request: Request<Body>,
) -> Result<(u16, Option<String>)> {
    let what = format!("{} {}", request.method(), request.uri());
    let response = router.oneshot(request).await?;
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, usize::MAX).await?;
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let is_told = parts.status.is_success() || kind == "application/problem+json";
    let wrong = parts.status.is_server_error() || !is_told;
    let said = wrong.then(|| {
        format!(
            "{what}: {}: {}",
            parts.status,
            String::from_utf8_lossy(&text)
        )
    });
    Ok((parts.status.as_u16(), said))
}
