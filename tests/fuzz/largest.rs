//! What the largest pictures take, at a scaled-down limit: decoding stays within what its limit says.

use std::io::Cursor;

use anyhow::Result;
use image::{DynamicImage, ImageFormat};
use siamese_data::{PictureError, PictureLimits, decode};

use crate::drive::peak_of;

/// What may be decoded, and what a decoder may take beside it: its tables, a line, a block of lines.
const LIMIT: u64 = 3 << 20;
const BESIDE: usize = 1 << 20;

type Kind = fn(u32, u32) -> DynamicImage;

const KINDS: [(&str, Kind); 8] = [
    ("L8", |w, h| DynamicImage::new_luma8(w, h)),
    ("LA8", |w, h| DynamicImage::new_luma_a8(w, h)),
    ("RGB8", |w, h| DynamicImage::new_rgb8(w, h)),
    ("RGBA8", |w, h| DynamicImage::new_rgba8(w, h)),
    ("L16", |w, h| DynamicImage::new_luma16(w, h)),
    ("LA16", |w, h| DynamicImage::new_luma_a16(w, h)),
    ("RGB16", |w, h| DynamicImage::new_rgb16(w, h)),
    ("RGBA16", |w, h| DynamicImage::new_rgba16(w, h)),
];

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::WebP,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
];

/// The largest square picture of each kind that is read takes no more than the limit; what takes more is told.
pub(crate) fn what_takes_more() -> Result<Vec<String>> {
    let mut more = Vec::new();
    for format in FORMATS {
        for (kind, make) in KINDS {
            let encoded = |side| {
                let mut file = Cursor::new(Vec::new());
                let written = make(side, side).write_to(&mut file, format);
                written.ok().map(|()| file.into_inner())
            };
            more.extend(judged(&format!("{format:?} {kind}"), encoded)?);
        }
    }
    more.extend(judged("HEIC", |side| {
        let pixels = vec![200; 3 * (side * side) as usize];
        heifer::encode_rgb8(side, side, &pixels, &heifer::EncodeOptions::default()).ok()
    })?);
    more.extend(judged("progressive JPEG", |side| {
        Some(progressive(side as u16))
    })?);
    Ok(more)
}

/// Tries smaller and smaller pictures until one is allowed.
fn judged(name: &str, encoded: impl Fn(u32) -> Option<Vec<u8>>) -> Result<Option<String>> {
    let limits = PictureLimits {
        max_pixels: u64::MAX,
        max_bytes: LIMIT,
    };
    for side in (1..=14).rev().map(|k| 128 * k) {
        let Some(file) = encoded(side) else {
            return Ok(None); // the format cannot hold it
        };
        let (peak, read) = peak_of(|| decode(&file, &limits, None).map(drop));
        match read {
            Err(PictureError::TooManyBytes { .. }) => continue,
            Ok(()) | Err(PictureError::Cut) if peak <= LIMIT as usize + BESIDE => return Ok(None),
            read => {
                let pixels = f64::from(side).powi(2);
                return Ok(Some(format!(
                    "{name} of {side}x{side}: {:.1} bytes a pixel, {read:?}",
                    peak as f64 / pixels
                )));
            }
        }
    }
    Ok(Some(format!("{name}: none is allowed")))
}

/// A progressive JPEG that ends early, of a side as large as it is told.
fn progressive(side: u16) -> Vec<u8> {
    let bytes: &[u8] = include_bytes!("../../crates/siamese-data/tests/pictures/progressive.jpg");
    let mut file = bytes.to_vec();
    let frame = file.windows(2).position(|two| two == [0xFF, 0xC2]).unwrap();
    let [high, low] = side.to_be_bytes();
    file[frame + 5..frame + 9].copy_from_slice(&[high, low, high, low]);
    file
}
