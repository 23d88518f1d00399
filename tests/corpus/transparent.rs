//! Pictures with transparency: they lie on white paper.

use std::path::Path;

use anyhow::Result;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::entry::{Entry, Kind, entry};
use crate::made::{encoded, model, write};

const VERIFY: &str = "verify model.safetensors a b";
const ALIKE: &[&str] = &["same · distance 0.0000"];

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::Transparency;
    vec![
        entry(
            Transparency,
            "two logos",
            |at| pair(at, &logo(6), &logo(15), ImageFormat::Png),
            VERIFY,
        )
        .differs(&["different"])
        .never(&["distance 0.0000"]),
        entry(
            Transparency,
            "a logo and the same on white",
            |at| on_white(at, ImageFormat::Png),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "the same as WebP",
            |at| on_white(at, ImageFormat::WebP),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "the same as TIFF",
            |at| on_white(at, ImageFormat::Tiff),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "the same as GIF",
            |at| on_white(at, ImageFormat::Gif),
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "the same in grey",
            |at| {
                write(
                    at,
                    "a",
                    encoded(
                        DynamicImage::from(logo(6)).to_luma_alpha8(),
                        ImageFormat::Png,
                    )?,
                )?;
                write(at, "b", encoded(white(&logo(6)), ImageFormat::Png)?)?;
                model(at)
            },
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "the same of 16 bits",
            |at| {
                write(
                    at,
                    "a",
                    encoded(DynamicImage::from(logo(6)).to_rgba16(), ImageFormat::Png)?,
                )?;
                write(at, "b", encoded(white(&logo(6)), ImageFormat::Png)?)?;
                model(at)
            },
            VERIFY,
        )
        .says(ALIKE),
        entry(
            Transparency,
            "nothing but transparency, of two colours",
            |at| {
                let clear = |value| RgbaImage::from_pixel(20, 30, Rgba([value, 0, 90, 0]));
                pair(at, &clear(0), &clear(200), ImageFormat::Png)
            },
            VERIFY,
        )
        .says(ALIKE),
    ]
}

/// A ring drawn in black on transparent.
fn logo(radius: u32) -> RgbaImage {
    RgbaImage::from_fn(50, 40, |x, y| {
        let far = x.abs_diff(22).pow(2) + y.abs_diff(19).pow(2);
        let drawn = far <= radius.pow(2) && far >= (radius / 2).pow(2);
        Rgba([0, 0, 0, if drawn { 255 } else { 0 }])
    })
}

/// The same on white paper.
fn white(logo: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(logo.width(), logo.height(), |x, y| {
        Rgb([255 - logo.get_pixel(x, y)[3]; 3])
    })
}

fn pair(at: &Path, a: &RgbaImage, b: &RgbaImage, format: ImageFormat) -> Result<()> {
    write(at, "a", encoded(a.clone(), format)?)?;
    write(at, "b", encoded(b.clone(), format)?)?;
    model(at)
}

fn on_white(at: &Path, format: ImageFormat) -> Result<()> {
    write(at, "a", encoded(logo(6), format)?)?;
    write(at, "b", encoded(white(&logo(6)), ImageFormat::Png)?)?;
    model(at)
}
