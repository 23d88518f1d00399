//! A picture that was sent becomes what the model takes: the one place where that is done.

use siamese_core::Strange;
use siamese_data::{PictureError, PictureLimits, ReadPicture, decode, sha256};
use siamese_embed::{Look, NO_FACE, SeenFace};
use siamese_gallery::Entry;

use crate::app::Shared;
use crate::form::{Form, Upload};
use crate::problem::Problem;

/// Faces of a picture that are looked at, the largest first.
const MOST_FACES: usize = 32;

/// A picture, or a part of one, as the model takes it.
pub(crate) struct Crop {
    /// Which face of the picture it is, where the model is of faces.
    pub(crate) face: Option<SeenFace>,
    /// (H, W, C)
    pub(crate) pixels: Vec<u8>,
    /// Why it is strange to the model, if it is.
    pub(crate) strange: Option<Strange>,
}

impl Crop {
    /// Left, top, right and bottom of the part within the upright picture, in pixels; `None` where it is all of it.
    pub(crate) fn area(&self) -> Option<[f32; 4]> {
        let bounds = self.face.as_ref()?.face.bounds;
        Some([bounds.left, bounds.top, bounds.right, bounds.bottom])
    }
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
            face: self.crop.face.clone(),
        }
    }
}

/// The picture of a form, embedded: its name and its parts.
pub(crate) async fn asked_about(
    app: &Shared,
    form: &mut Form,
) -> Result<(String, Vec<Probe>), Problem> {
    let upload = form.one("image")?;
    let name = upload.name.clone();
    let seen = seen(app, vec![upload], false).await?;
    let probes = probes(app, seen.into_iter().map(|one| one.crops).collect()).await?;
    Ok((name, probes.into_iter().flatten().collect()))
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
    // faces are looked for, and thumbnails made, of all pixels
    let whole = thumbnails || app.embedder.finder().is_some();
    let picture = decode(&bytes, &limits, (!whole).then_some(&app.framing));
    let picture = picture.map_err(|why| Problem::bad(format!("{name}: {}", in_words(&why))))?;
    let thumbnail = thumbnails.then_some(Entry::THUMBNAIL);
    let mut seen = app
        .embedder
        .see(&picture, MOST_FACES, thumbnail)
        .map_err(Problem::fault)?;
    let Some(first) = seen.first_mut() else {
        return Err(Problem::bad(format!("{name}: {NO_FACE}")));
    };
    let read = ReadPicture {
        pixels: Vec::new(),
        sha256: sha256(&bytes),
        thumbnail: first.thumbnail.take(),
    };
    Ok(Seen {
        name,
        crops: seen.into_iter().map(|one| crop(app, one)).collect(),
        read,
    })
}

fn crop(app: &Shared, seen: siamese_embed::Seen) -> Crop {
    let siamese_embed::Seen { pixels, face, .. } = seen;
    Crop {
        face,
        strange: app.embedder.strange(&pixels),
        pixels,
    }
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
