//! From a picture's bytes to upright pixels.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::error::PictureError;
use super::jpeg;
use super::sniff::{HEAD, not_a_picture};

/// What a picture may ask for before a byte of it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLimits {
    /// Pixels, by the picture's own header.
    pub max_pixels: u64,
    /// Bytes of the file.
    pub max_bytes: u64,
}

impl Default for PictureLimits {
    /// 200 million pixels, as the largest phones take; 512 MiB.
    fn default() -> Self {
        Self {
            max_pixels: 200_000_000,
            max_bytes: 512 << 20,
        }
    }
}

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureInfo {
    /// Rows, upright.
    pub height: usize,
    /// Columns, upright.
    pub width: usize,
    /// Whether it has no colour.
    pub grey: bool,
}

/// A decoded picture: upright, 8 bits, grey or RGB; transparency lies over white.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(super) image: DynamicImage,
}

impl Picture {
    /// Rows.
    pub fn height(&self) -> usize {
        self.image.height() as usize
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.image.width() as usize
    }

    /// Pixels (H, W, C) of one or three channels; `None` where there are not as many bytes.
    pub(crate) fn of_pixels(
        (height, width, channels): (usize, usize, usize),
        pixels: Vec<u8>,
    ) -> Option<Self> {
        let (width, height) = (width as u32, height as u32);
        let image = match channels {
            1 => image::GrayImage::from_raw(width, height, pixels)?.into(),
            _ => image::RgbImage::from_raw(width, height, pixels)?.into(),
        };
        Some(Self { image })
    }
}

/// What the header of a picture says; the beginning of its bytes suffices where the header is whole in it.
///
/// # Errors
/// When the bytes are no picture.
pub fn probe(bytes: &[u8]) -> Result<PictureInfo, PictureError> {
    guarded(|| {
        #[cfg(feature = "heic")]
        if is_heic(bytes) {
            return heic::probe(bytes);
        }
        let (decoder, orientation) = open(bytes)?;
        let (width, height) = decoder.dimensions();
        let turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        let (height, width) = match turned {
            true => (width, height),
            false => (height, width),
        };
        Ok(PictureInfo {
            height: height as usize,
            width: width as usize,
            grey: !decoder.color_type().has_color(),
        })
    })
}

/// Decodes a picture of any format that is read: JPEG, PNG, WebP, GIF, BMP, TIFF, PNM, and HEIC with the feature `heic`.
///
/// Its kind is what the bytes say. It is turned upright by its EXIF data; what is transparent lies over white.
///
/// ```
/// use siamese_data::{Colour, Fit, Framing, PictureLimits, decode};
///
/// let file = b"P2 3 2 255  0 50 100  150 200 250"; // a grey picture of 2 rows in plain text
/// let picture = decode(file, &PictureLimits::default())?;
/// let framing = Framing { height: 2, width: 2, colour: Colour::Grey, fit: Fit::Crop };
/// assert_eq!(picture.frame(&framing).len(), 4);
/// # Ok::<(), siamese_data::PictureError>(())
/// ```
///
/// # Errors
/// When the bytes are no picture, it is larger than the limits, cut, or damaged.
pub fn decode(bytes: &[u8], limits: &PictureLimits) -> Result<Picture, PictureError> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PictureError::TooManyBytes {
            bytes: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    if jpeg::is_cut(bytes) {
        return Err(PictureError::Cut);
    }
    guarded(|| {
        #[cfg(feature = "heic")]
        if is_heic(bytes) {
            return heic::decode(bytes, limits).map(|image| Picture {
                image: plain(image),
            });
        }
        let (decoder, orientation) = open(bytes)?;
        let (width, height) = decoder.dimensions();
        check_size(u64::from(width), u64::from(height), limits)?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        image.apply_orientation(orientation);
        Ok(Picture {
            image: plain(image),
        })
    })
}

/// Decodes the picture in a file.
///
/// # Errors
/// As [`decode`], and what the system says.
pub(crate) fn decode_file(path: &Path, limits: &PictureLimits) -> Result<Picture, PictureError> {
    let io = |error: std::io::Error| PictureError::Io(error.to_string());
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(PictureError::NotAPicture("no regular file"));
    }
    if metadata.len() > limits.max_bytes {
        return Err(PictureError::TooManyBytes {
            bytes: metadata.len(),
            limit: limits.max_bytes,
        });
    }
    decode(&std::fs::read(path).map_err(io)?, limits)
}

fn check_size(width: u64, height: u64, limits: &PictureLimits) -> Result<(), PictureError> {
    match width.saturating_mul(height) > limits.max_pixels {
        true => Err(PictureError::TooLarge {
            width,
            height,
            limit: limits.max_pixels,
        }),
        false => Ok(()),
    }
}

/// A panic inside somebody's parser is damage of the file.
fn guarded<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(PictureError::Damaged("its decoder broke down".into())))
}

fn open(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, Orientation), PictureError> {
    if let Some(looks_like) = not_a_picture(&bytes[..bytes.len().min(HEAD)]) {
        return Err(PictureError::NotAPicture(looks_like));
    }
    if is_heic(bytes) {
        return Err(PictureError::NotAPicture(
            "HEIC, which this build does not read",
        ));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| PictureError::Damaged(error.to_string()))?;
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn damaged(error: image::ImageError) -> PictureError {
    match error {
        image::ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Cut
        }
        error => PictureError::Damaged(error.to_string()),
    }
}

/// 8 bits, grey or RGB.
fn plain(image: DynamicImage) -> DynamicImage {
    let colour = image.color();
    if colour.has_alpha() {
        let rgba = image.into_rgba8();
        let over_white = |pixel: &image::Rgba<u8>| {
            let [r, g, b, a] = pixel.0.map(u32::from);
            let blend = |value: u32| ((value * a + 255 * (255 - a) + 127) / 255) as u8;
            [blend(r), blend(g), blend(b)]
        };
        let (width, height) = rgba.dimensions();
        let pixels: Vec<u8> = rgba.pixels().flat_map(over_white).collect();
        return match image::RgbImage::from_raw(width, height, pixels) {
            Some(image) if colour.has_color() => image.into(),
            Some(image) => DynamicImage::from(image).into_luma8().into(),
            None => DynamicImage::new_rgb8(width, height), // as many bytes as pixels: never
        };
    }
    match colour.has_color() {
        true => image.into_rgb8().into(),
        false => image.into_luma8().into(),
    }
}

fn is_heic(bytes: &[u8]) -> bool {
    let brands: [&[u8]; 6] = [b"heic", b"heix", b"mif1", b"msf1", b"heim", b"hevc"];
    let brand = bytes.get(8..12).unwrap_or_default();
    bytes.get(4..8) == Some(b"ftyp") && brands.contains(&brand)
}

#[cfg(feature = "heic")]
mod heic {
    //! iPhones' pictures, by `heifer`; it turns them upright itself.

    use image::{DynamicImage, RgbaImage};

    use super::{PictureError, PictureInfo, PictureLimits};

    pub(super) fn decode(
        bytes: &[u8],
        limits: &PictureLimits,
    ) -> Result<DynamicImage, PictureError> {
        let options = heifer::Options {
            max_threads: 1, // pictures are decoded on all cores already
            max_pixels: limits.max_pixels,
        };
        let image = heifer::decode_srgb_rgba8(bytes, &options)
            .or_else(|_| heifer::decode_rgba8(bytes, &options))
            .map_err(|error| PictureError::Damaged(error.to_string()))?;
        let (width, height) = (image.width, image.height);
        let pixels = RgbaImage::from_raw(width, height, image.data);
        let pixels =
            pixels.ok_or_else(|| PictureError::Damaged("its pixels are too few".into()))?;
        Ok(pixels.into())
    }

    /// `heifer` tells the size of a decoded picture only.
    pub(super) fn probe(bytes: &[u8]) -> Result<PictureInfo, PictureError> {
        let image = decode(bytes, &PictureLimits::default())?;
        Ok(PictureInfo {
            height: image.height() as usize,
            width: image.width() as usize,
            grey: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Luma, Rgb, Rgba};

    use super::*;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<Picture, PictureError> {
        decode(bytes, &PictureLimits::default())
    }

    #[test]
    fn what_is_transparent_lies_over_white() {
        let logo =
            image::RgbaImage::from_fn(3, 2, |x, _| Rgba([0, 0, 0, [0, 128, 255][x as usize]]));
        let picture = read(&encoded(logo, ImageFormat::Png)).unwrap();
        let row: Vec<u8> = picture
            .image
            .into_rgb8()
            .pixels()
            .take(3)
            .map(|p| p.0[0])
            .collect();
        assert_eq!(row, [255, 127, 0]);
    }

    #[test]
    fn grey_stays_grey_and_sixteen_bits_become_eight() {
        let deep = image::ImageBuffer::from_fn(3, 2, |x, _| Luma([x as u16 * 32_767]));
        let picture = read(&encoded(deep, ImageFormat::Png)).unwrap();
        let DynamicImage::ImageLuma8(grey) = picture.image else {
            panic!("{:?}", picture.image.color())
        };
        assert_eq!(grey.as_raw()[..3], [0, 127, 255]);
    }

    #[test]
    fn tiff_bmp_webp_and_gif_are_read_by_their_bytes() {
        let image = image::RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8 * 80, y as u8 * 200, 7]));
        for format in [
            ImageFormat::Tiff,
            ImageFormat::Bmp,
            ImageFormat::WebP,
            ImageFormat::Png,
        ] {
            let bytes = encoded(image.clone(), format);
            assert_eq!(read(&bytes).unwrap().image.into_rgb8(), image, "{format:?}");
            let info = probe(&bytes).unwrap();
            assert_eq!((info.height, info.width, info.grey), (2, 3, false));
        }
    }

    #[test]
    fn every_exif_orientation_turns_the_picture_upright() {
        // rows of values that no turn leaves as they are
        let upright = image::GrayImage::from_fn(3, 2, |x, y| Luma([(40 * x + 120 * y) as u8]));
        for orientation in 1..=8u8 {
            let stored = match orientation {
                1 => upright.clone(),
                2 => image::imageops::flip_horizontal(&upright),
                3 => image::imageops::rotate180(&upright),
                4 => image::imageops::flip_vertical(&upright),
                5 => image::imageops::flip_horizontal(&image::imageops::rotate90(&upright)),
                6 => image::imageops::rotate270(&upright),
                7 => image::imageops::flip_horizontal(&image::imageops::rotate270(&upright)),
                _ => image::imageops::rotate90(&upright),
            };
            let mut png = encoded(stored, ImageFormat::Png);
            let exif: Vec<u8> = [
                b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(),
                &[orientation, 0, 0, 0],
                &[0; 4],
            ]
            .concat();
            let mut chunk = b"eXIf".to_vec();
            chunk.extend(exif);
            let crc = flate2::Crc::new();
            let mut crc = crc;
            crc.update(&chunk);
            let mut whole = ((chunk.len() - 4) as u32).to_be_bytes().to_vec();
            whole.extend(&chunk);
            whole.extend(crc.sum().to_be_bytes());
            png.splice(33..33, whole); // after the header
            let picture = read(&png).unwrap();
            assert_eq!(
                picture.image.into_luma8(),
                upright,
                "orientation {orientation}"
            );
            let info = probe(&png).unwrap();
            assert_eq!(
                (info.height, info.width),
                (2, 3),
                "orientation {orientation}"
            );
        }
    }

    #[test]
    fn a_picture_that_says_it_is_huge_is_refused_before_it_is_decoded() {
        let mut png = encoded(image::RgbImage::new(2, 2), ImageFormat::Png);
        png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let crc = {
            let mut crc = flate2::Crc::new();
            crc.update(&png[12..29]);
            crc.sum()
        };
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(
            matches!(read(&png), Err(PictureError::TooLarge { .. })),
            "{:?}",
            read(&png)
        );
        // a BMP of 54 bytes, and a GIF of 40
        let mut bmp = encoded(image::RgbImage::new(2, 2), ImageFormat::Bmp);
        bmp[18..22].copy_from_slice(&50_000u32.to_le_bytes());
        bmp[22..26].copy_from_slice(&50_000u32.to_le_bytes());
        assert!(read(&bmp[..54]).is_err());
    }

    #[test]
    fn what_is_no_picture_is_told_by_what_it_looks_like() {
        for (bytes, words) in [
            (
                b"version https://git-lfs.github.com/spec/v1".as_slice(),
                "git-lfs",
            ),
            (b"<!DOCTYPE html>", "text"),
            (b"", "empty"),
            (b"\0\0\0\x18ftypavif", "AVIF"),
            (b"\x89PNG\r\n\x1a\n", "ends before"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_cut_picture_is_never_filled_up() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
            let image = image::RgbImage::from_fn(40, 30, |x, y| Rgb([(x * y) as u8, x as u8, 9]));
            let bytes = encoded(image, format);
            for share in [2, 3, 5] {
                assert!(
                    read(&bytes[..bytes.len() * (share - 1) / share]).is_err(),
                    "{format:?}"
                );
            }
        }
    }
}
