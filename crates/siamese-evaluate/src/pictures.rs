//! An image of a set, its class and its file, as reports show them.

use anyhow::Result;
use siamese_data::ImageSet;
use siamese_report::Thumbnail;

/// Longest side of a picture, in pixels: it bounds the size of the page.
const PICTURE: u32 = 160;

/// An image of the set as a report shows it: the picture that it was made from, in its own shape, where there is one.
pub(crate) fn thumbnail(images: &ImageSet, index: u32) -> Result<Thumbnail> {
    match images.original(index as usize, PICTURE as usize) {
        Some((pixels, (height, width))) => {
            Ok(Thumbnail::new(width as u32, height as u32, 3, pixels)?)
        }
        None => as_judged(images, index, PICTURE),
    }
}

/// An image of the set as the model was given it, no side longer than `most`: all have one shape.
pub(crate) fn as_judged(images: &ImageSet, index: u32, most: u32) -> Result<Thumbnail> {
    let pixels = images.image(index as usize)?.into_owned();
    let (width, height, channels) = (
        images.width as u32,
        images.height as u32,
        images.channels as u32,
    );
    Ok(Thumbnail::new(width, height, channels, pixels)?.shrunk(most))
}

/// The name of an image's class.
pub(crate) fn class_name(images: &ImageSet, index: u32) -> String {
    let label = images.labels[index as usize];
    let name = images.classes.get(label as usize);
    name.cloned().unwrap_or_else(|| label.to_string())
}

/// The name of an image's file; empty where it has none.
pub(crate) fn file_name(images: &ImageSet, index: u32) -> String {
    images.name(index as usize).unwrap_or_default().to_string()
}
