//! Pictures of every kind, under their own names and others'.

use std::path::Path;

use anyhow::Result;
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, encoded, heic, jpeg, model, photo, write};

const VERIFY: &str = "verify model.safetensors a b";
const CHECK: &str = "data check set";

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::Formats;
    vec![
        entry(
            Formats,
            "a PNG called JPEG",
            |at| named(at, "9.jpg", &encoded(photo(9), ImageFormat::Png)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "a JPEG called PNG",
            |at| named(at, "9.png", &jpeg(9)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "a JPEG called HEIC",
            |at| named(at, "IMG_0001.HEIC", &jpeg(9)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(Formats, "jpe", |at| named(at, "9.jpe", &jpeg(9)?), CHECK).says(&["9 pictures in"]),
        entry(Formats, "jfif", |at| named(at, "9.jfif", &jpeg(9)?), CHECK).says(&["9 pictures in"]),
        entry(
            Formats,
            "capitals",
            |at| named(at, "DSC_0009.JPG", &jpeg(9)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(Formats, "no ending", |at| named(at, "9", &jpeg(9)?), CHECK).says(&["9 pictures in"]),
        entry(
            Formats,
            "tif",
            |at| named(at, "9.tif", &encoded(photo(9), ImageFormat::Tiff)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "webp",
            |at| named(at, "9.webp", &encoded(photo(9), ImageFormat::WebP)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "bmp",
            |at| named(at, "9.bmp", &encoded(photo(9), ImageFormat::Bmp)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "gif",
            |at| named(at, "9.gif", &encoded(photo(9), ImageFormat::Gif)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "ppm",
            |at| named(at, "9.ppm", &encoded(photo(9), ImageFormat::Pnm)?),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(Formats, "heic", |at| named(at, "9.heic", &heic()?), CHECK).says(&["9 pictures in"]),
        entry(
            Formats,
            "16 bits of grey",
            |at| {
                named(
                    at,
                    "9.png",
                    &encoded(DynamicImage::from(photo(9)).to_luma16(), ImageFormat::Png)?,
                )
            },
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "a bit a pixel",
            |at| named(at, "9.pbm", b"P4 24 2\n\x12\x34\x56\x78\x9A\xBC"),
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "a pixel",
            |at| {
                named(
                    at,
                    "9.png",
                    &encoded(RgbImage::new(1, 1), ImageFormat::Png)?,
                )
            },
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "a line of pixels",
            |at| {
                named(
                    at,
                    "9.png",
                    &encoded(RgbImage::new(5000, 1), ImageFormat::Png)?,
                )
            },
            CHECK,
        )
        .says(&["9 pictures in"]),
        entry(
            Formats,
            "AVIF",
            |at| named(at, "9.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
            CHECK,
        )
        .says(&["8 pictures in", "AVIF"]),
        entry(
            Formats,
            "AVIF called JPEG",
            |at| named(at, "9.jpg", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
            CHECK,
        )
        .says(&["8 pictures in", "AVIF"]),
        entry(
            Formats,
            "JPEG XL",
            |at| named(at, "9.jxl", b"\xFF\x0A\x01\x02"),
            CHECK,
        )
        .says(&["8 pictures in", "JPEG XL"]),
        entry(
            Formats,
            "SVG",
            |at| named(at, "9.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            CHECK,
        )
        .says(&["8 pictures in", "SVG"]),
        entry(
            Formats,
            "a camera's raw file",
            |at| named(at, "9.cr2", b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0"),
            CHECK,
        )
        .says(&["8 pictures in", "raw"]),
        entry(
            Formats,
            "Photoshop",
            |at| named(at, "9.psd", b"8BPS\0\x01\0\0"),
            CHECK,
        )
        .says(&["8 pictures in", "Photoshop"]),
        entry(
            Formats,
            "a film among pictures",
            |at| named(at, "9.mp4", b"\0\0\0\x18ftypisom\0\0\0\0mp41mp42"),
            CHECK,
        )
        .says(&["8 pictures in", "a film"]),
        entry(
            Formats,
            "text called JPEG",
            |at| named(at, "9.jpg", b"not there yet\n"),
            CHECK,
        )
        .says(&["8 pictures in", "text"]),
        entry(
            Formats,
            "nothing but AVIF",
            |at| {
                for class in ["cat", "dog"] {
                    write(
                        at,
                        format!("set/{class}/1.avif"),
                        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
                    )?;
                }
                Ok(())
            },
            CHECK,
        )
        .fails(&["AVIF"]),
        entry(
            Formats,
            "AVIF to verify",
            |at| {
                model(at)?;
                write(at, "a", jpeg(1)?)?;
                write(at, "b", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif")
            },
            VERIFY,
        )
        .fails(&[
            "b is not a readable picture",
            "AVIF",
            "save it as PNG or JPEG",
        ]),
    ]
}

/// Cats and dogs, and one more file with the cats.
fn named(at: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    cats_and_dogs(at)?;
    write(at, format!("set/cat/{name}"), bytes)
}
