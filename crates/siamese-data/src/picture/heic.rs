//! HEIC, as phones take, in pure Rust; without the feature `heic` it is a kind that is not read.

use image::DynamicImage;

use super::limits::{PictureError, PictureLimits};

/// (height, width) as it is shown: what is cut off and turned is told by the picture's properties, in their order.
#[cfg(feature = "heic")]
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), PictureError> {
    use heifer::heifer_isobmff::HeifFile;
    use heifer::heifer_isobmff::boxes::Property;
    let damaged = |error: heifer::heifer_isobmff::Error| refusal(&error.into());
    let file = HeifFile::parse(bytes).map_err(damaged)?;
    let stored = file.image_size(file.primary_id).map_err(damaged)?;
    let (mut width, mut height) =
        stored.ok_or_else(|| PictureError::Damaged("it declares no size".into()))?;
    // never more than is stored: the size is what is checked before anything is decoded
    let kept = |(length, unit): (u32, u32), side: u32| match length.checked_div(unit) {
        Some(0) | None => side,
        Some(_) => ((f64::from(length) / f64::from(unit)).round() as u32).min(side),
    };
    for property in file.item_properties(file.primary_id).map_err(damaged)? {
        match property {
            Property::CleanAperture {
                width: w,
                height: h,
                ..
            } => {
                (width, height) = (kept(*w, width), kept(*h, height));
            }
            Property::Rotation(quarters) if quarters % 2 == 1 => {
                (width, height) = (height, width);
            }
            _ => {}
        }
    }
    Ok((height as usize, width as usize))
}

/// The picture in sRGB, upright.
#[cfg(feature = "heic")]
pub(super) fn image(bytes: &[u8], limits: &PictureLimits) -> Result<DynamicImage, PictureError> {
    // Pictures are decoded side by side already.
    let options = heifer::Options {
        max_threads: 1,
        max_pixels: limits.max_pixels,
    };
    let decoded = match heifer::decode_srgb_rgba8(bytes, &options) {
        // A colour space that it cannot convert: the values as they are.
        Err(heifer::Error::Unsupported(_)) => heifer::decode_rgba8(bytes, &options),
        decoded => decoded,
    };
    let image = decoded.map_err(|error| refusal(&error))?;
    let (width, height) = (image.width, image.height);
    let pixels = if image.has_alpha {
        image::RgbaImage::from_raw(width, height, image.data).map(DynamicImage::from)
    } else {
        image::RgbImage::from_raw(width, height, image.into_rgb8()).map(DynamicImage::from)
    };
    pixels.ok_or_else(|| PictureError::Damaged("it has other pixels than declared".into()))
}

#[cfg(feature = "heic")]
fn refusal(error: &heifer::Error) -> PictureError {
    match error {
        heifer::Error::Unsupported(what) => PictureError::Unsupported(format!("HEIC with {what}")),
        error => PictureError::Damaged(error.to_string()),
    }
}

#[cfg(not(feature = "heic"))]
pub(super) fn size(_: &[u8]) -> Result<(usize, usize), PictureError> {
    Err(absent())
}

#[cfg(not(feature = "heic"))]
pub(super) fn image(_: &[u8], _: &PictureLimits) -> Result<DynamicImage, PictureError> {
    Err(absent())
}

#[cfg(not(feature = "heic"))]
fn absent() -> PictureError {
    PictureError::Unsupported("HEIC (this build has no feature `heic`)".into())
}
