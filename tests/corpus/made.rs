//! What inputs are made of: pictures, class folders, a model.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::support;

/// What git-lfs leaves where a file was not fetched.
pub(crate) const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345678\n";

/// What a server sends in place of a file.
pub(crate) const PAGE: &str =
    "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n";

/// Writes a file, and the folders above it.
pub(crate) fn write(folder: &Path, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// A picture that is like no other `seed`'s; neither square nor symmetric.
pub(crate) fn photo(seed: u32) -> RgbImage {
    let mut state = seed.wrapping_mul(7919).wrapping_add(17);
    let colours: [u32; 6] = std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    });
    RgbImage::from_fn(40, 30, |x, y| {
        let blend = |from: u32, to: u32, along: u32, length: u32| {
            ((from * (length - along) + to * along) / length) as u8
        };
        let [a, b, c, d, e, f] = colours;
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 29) as u8;
        let pixel = [blend(a, b, x, 40), blend(c, d, y, 30), blend(e, f, x, 40)];
        image::Rgb(pixel.map(|value| value.saturating_add(grain)))
    })
}

/// A picture as a file of that format.
pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format)?;
    Ok(file.into_inner())
}

/// A photo as a camera writes it.
pub(crate) fn jpeg(seed: u32) -> Result<Vec<u8>> {
    encoded(photo(seed), ImageFormat::Jpeg)
}

/// Where a JPEG's marker is.
pub(crate) fn marker(jpeg: &[u8], marker: u8) -> usize {
    let found = jpeg.windows(2).position(|two| two == [0xFF, marker]);
    found.unwrap_or(jpeg.len())
}

/// A JPEG up to the middle of its pixels.
pub(crate) fn half(jpeg: &[u8]) -> &[u8] {
    &jpeg[..(marker(jpeg, 0xDA) + jpeg.len()) / 2]
}

/// A photo as iPhones write it.
pub(crate) fn heic() -> Result<Vec<u8>> {
    let image = photo(9);
    let options = heifer::EncodeOptions::default();
    heifer::encode_rgb8(image.width(), image.height(), &image, &options)
        .ok()
        .context("no HEIC")
}

/// `count` photos in each of the folders, `FOLDER/0.jpg` and on.
pub(crate) fn classes(folder: &Path, names: &[&str], count: u32) -> Result<()> {
    for (class, name) in (0u32..).zip(names) {
        for i in 0..count {
            write(folder, format!("{name}/{i}.jpg"), jpeg(class * 100 + i)?)?;
        }
    }
    Ok(())
}

/// Four photos each of cats and dogs in `set`.
pub(crate) fn cats_and_dogs(folder: &Path) -> Result<()> {
    classes(folder, &["set/cat", "set/dog"], 4)
}

/// Writes a model that nobody trained, `model.safetensors`.
pub(crate) fn model(folder: &Path) -> Result<()> {
    write(folder, "model.safetensors", model_bytes()?)
}

/// A model that nobody trained.
pub(crate) fn model_bytes() -> Result<&'static [u8]> {
    static MODEL: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let made = MODEL.get_or_init(|| {
        let bytes = || -> Result<Vec<u8>> {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("model.safetensors");
            support::untrained_model(&path)?;
            Ok(fs::read(path)?)
        };
        bytes().map_err(|error| format!("{error:?}"))
    });
    made.as_deref().map_err(|error| anyhow!(error.clone()))
}
