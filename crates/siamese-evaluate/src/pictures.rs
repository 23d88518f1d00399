//! An image of a set, and its name, as reports show them.

use anyhow::Result;
use siamese_data::ImageSet;
use siamese_report::Thumbnail;

/// Longest side of a picture, in pixels: it bounds the size of the page.
const PICTURE: u32 = 128;

/// An image of the set as a report shows it.
pub(crate) fn thumbnail(images: &ImageSet, index: u32) -> Result<Thumbnail> {
    let pixels = images.image(index as usize)?.into_owned();
    let (width, height, channels) = (
        images.width as u32,
        images.height as u32,
        images.channels as u32,
    );
    Ok(Thumbnail::new(width, height, channels, pixels)?.shrunk(PICTURE))
}

/// The name of an image's class.
pub(crate) fn class_name(images: &ImageSet, index: u32) -> String {
    let label = images.labels[index as usize];
    let name = images.classes.get(label as usize);
    name.cloned().unwrap_or_else(|| label.to_string())
}
