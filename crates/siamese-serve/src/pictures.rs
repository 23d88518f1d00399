//! A picture that was sent becomes what the model takes: the one place where that is done.

use siamese_core::Strange;
use siamese_data::{Picture, PictureError, PictureLimits, ReadPicture, decode, sha256};
use siamese_embed::Look;
use siamese_gallery::Entry;

use crate::app::Shared;
use crate::form::Upload;
use crate::problem::Problem;

/// A picture, or a part of one, as the model takes it.
pub(crate) struct Crop {
    /// Left, top, width and height of the part within the upright picture, in pixels; `None` where it is all of it.
    pub(crate) area: Option<[f32; 4]>,
    /// (H, W, C)
    pub(crate) pixels: Vec<u8>,
    /// Why it is strange to the model, if it is.
    pub(crate) strange: Option<Strange>,
}

/// A picture that was decoded.
pub(crate) struct Seen {
    /// What its sender calls it.
    pub(crate) name: String,
    /// What of it is to be embedded.
    pub(crate) crops: Vec<Crop>,
    /// Without the pixels.
    pub(crate) read: ReadPicture,
}

/// A crop and its embedding.
pub(crate) struct Probe {
    pub(crate) crop: Crop,
    /// (D)
    pub(crate) embedding: Vec<f32>,
}

impl Probe {
    /// As judgements of pairs take it.
    pub(crate) fn look(&self) -> Look {
        Look {
            embedding: self.embedding.clone(),
            strange: self.crop.strange,
        }
    }
}

/// Decodes uploads on as many threads as there are for it; a thumbnail is made where it will be kept.
pub(crate) async fn seen(
    app: &Shared,
    uploads: Vec<Upload>,
    thumbnails: bool,
) -> Result<Vec<Seen>, Problem> {
    let _coming = app.batcher.coming();
    let mut all = Vec::with_capacity(uploads.len());
    for upload in uploads {
        let permit = app.decoders.clone().acquire_owned().await;
        let own = app.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            one(&own, upload, thumbnails)
        });
        all.push(work.await.map_err(Problem::fault)??);
    }
    Ok(all)
}

/// The embeddings of all crops of some pictures, picture by picture.
pub(crate) async fn probes(app: &Shared, seen: Vec<Vec<Crop>>) -> Result<Vec<Vec<Probe>>, Problem> {
    let images = seen.iter().flatten().map(|crop| crop.pixels.clone());
    let mut rows = app.batcher.embed(images.collect()).await?.into_iter();
    let mut probe = |crop| {
        let embedding = rows.next()?;
        Some(Probe { crop, embedding })
    };
    let mut all = Vec::with_capacity(seen.len());
    for crops in seen {
        all.push(crops.into_iter().filter_map(&mut probe).collect());
    }
    Ok(all)
}

fn one(app: &Shared, upload: Upload, thumbnails: bool) -> Result<Seen, Problem> {
    let Upload { name, bytes, .. } = upload;
    let limits = PictureLimits::of_pixels(app.limits.pixels);
    let picture = decode(&bytes, &limits, (!thumbnails).then_some(&app.framing));
    let picture = picture.map_err(|why| Problem::bad(format!("{name}: {}", in_words(&why))))?;
    let read = ReadPicture {
        pixels: Vec::new(),
        sha256: sha256(&bytes),
        thumbnail: thumbnails.then(|| picture.thumbnail(Entry::THUMBNAIL)),
    };
    Ok(Seen {
        name,
        crops: crops(app, &picture),
        read,
    })
}

/// What of a picture is to be embedded: all of it. A model of faces will find them here.
fn crops(app: &Shared, picture: &Picture) -> Vec<Crop> {
    let pixels = picture.frame(&app.framing);
    let domain = app.embedder.model().domain.as_ref();
    vec![Crop {
        area: None,
        strange: domain.and_then(|domain| domain.judge(&pixels, app.shape)),
        pixels,
    }]
}

/// The server's own limits are not the sender's to raise.
fn in_words(why: &PictureError) -> String {
    match why {
        PictureError::TooManyPixels {
            height,
            width,
            limit,
        } => format!("it declares {height}x{width} pixels, where at most {limit} are allowed"),
        PictureError::TooManyBytes { bytes, limit } => {
            format!("it would take {bytes} bytes, where at most {limit} are allowed")
        }
        other => other.to_string(),
    }
}
