//! Encoded bytes to a picture, upright and opaque.

use std::io::Cursor;

use image::error::ImageFormatHint;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use siamese_framing::{Framing, Picture};

use super::decoded::{of_pixels, opaque, turned};
use super::format::Format;
use super::limits::{PictureError, PictureLimits};
use super::looks::format_of;
use super::{heic, jpeg};

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureInfo {
    /// The kind of file.
    pub format: Format,
    /// Rows, once it is upright.
    pub height: usize,
    /// Columns, once it is upright.
    pub width: usize,
    /// Whether it has no colour.
    pub grey: bool,
}

/// Decodes a picture, as many bytes as its file has.
///
/// `framing` may save work: a picture that is wanted in grey is decoded as such where its format
/// lets it.
///
/// ```
/// use siamese_data::{Colour, Fit, Framing, PictureLimits, decode};
///
/// // 2 high, 3 wide, grey.
/// let picture = decode(b"P5 3 2 255\n\x00\x0a\x14\x1e\x28\x32", &PictureLimits::default(), None)?;
/// assert_eq!((picture.height(), picture.width()), (2, 3));
/// let own = Framing { height: 2, width: 3, colour: Colour::Grey, fit: Fit::Crop };
/// assert_eq!(picture.frame(&own), [0, 10, 20, 30, 40, 50]);
/// # Ok::<(), siamese_data::PictureError>(())
/// ```
///
/// # Errors
///
/// No picture, a kind that is not read, one that is larger than `limits` by the size it declares,
/// one that is cut anywhere, or damaged.
pub fn decode(
    bytes: &[u8],
    limits: &PictureLimits,
    framing: Option<&Framing>,
) -> Result<Picture, PictureError> {
    limits.check_file(bytes.len() as u64)?;
    let format = format_of(bytes)?;
    guarded(|| match format {
        Format::Jpeg => jpeg_picture(bytes, limits, framing),
        Format::Heic => {
            let (height, width) = heic::size(bytes)?;
            limits.check(
                height as u64,
                width as u64,
                bytes_of_a_pixel(format, ColorType::Rgb8),
            )?;
            opaque(heic::image(bytes, limits)?)
        }
        _ => {
            let (mut decoder, orientation) = open(bytes, format, limits)?;
            let (width, height) = decoder.dimensions();
            let depth = bytes_of_a_pixel(format, decoder.color_type());
            limits.check(u64::from(height), u64::from(width), depth)?;
            let pixels = u64::from(height) * u64::from(width);
            decoder
                .set_limits(memory(limits, format, pixels))
                .map_err(refusal)?;
            let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
            turned(opaque(image)?, orientation)
        }
    })
}

/// Reads the header of a picture; `bytes` may end after it.
///
/// # Errors
///
/// No picture, a kind that is not read, or a header that is cut or damaged.
pub fn probe(bytes: &[u8]) -> Result<PictureInfo, PictureError> {
    let format = format_of(bytes)?;
    guarded(|| {
        let (height, width, grey) = match format {
            Format::Jpeg => {
                let header = jpeg::header(bytes)?;
                let (height, width) = (header.height, header.width);
                let turned = turns(jpeg_orientation(&header));
                let (height, width) = if turned {
                    (width, height)
                } else {
                    (height, width)
                };
                (height, width, header.components == 1)
            }
            Format::Heic => {
                let (height, width) = heic::size(bytes)?;
                (height, width, false)
            }
            _ => header_of(bytes, format)?,
        };
        Ok(PictureInfo {
            format,
            height,
            width,
            grey,
        })
    })
}

fn header_of(bytes: &[u8], format: Format) -> Result<(usize, usize, bool), PictureError> {
    let (decoder, orientation) = open(bytes, format, &PictureLimits::default())?;
    let (width, height) = decoder.dimensions();
    let (width, height) = if turns(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    let grey = !decoder.color_type().has_color();
    Ok((height as usize, width as usize, grey))
}

fn jpeg_picture(
    bytes: &[u8],
    limits: &PictureLimits,
    framing: Option<&Framing>,
) -> Result<Picture, PictureError> {
    let header = jpeg::header(bytes)?;
    let (height, width) = (header.height, header.width);
    limits.check(height as u64, width as u64, header.bytes_of_a_pixel())?;
    let wanted = framing.map(|framing| framing.colour);
    let (pixels, colour) = jpeg::pixels(bytes, &header, wanted)?;
    let picture = of_pixels((height, width, colour.channels()), pixels)?;
    turned(picture, jpeg_orientation(&header))
}

/// Bytes that decoding keeps for each pixel: as the file has them, and beside more than 8 bits a second time with 8; what
/// some decoders keep beside was measured (`tests/fuzz/largest.rs`).
fn bytes_of_a_pixel(format: Format, colours: ColorType) -> u64 {
    let (pixel, channels) = (colours.bytes_per_pixel(), colours.channel_count());
    let converted = match pixel == channels {
        true => pixel,
        false => pixel + channels,
    };
    u64::from(match format {
        Format::WebP | Format::Heic => 8,
        Format::Tiff => converted.max(2 * pixel),
        _ => converted,
    })
}

fn jpeg_orientation(header: &jpeg::Header) -> Orientation {
    let orientation = header.exif.and_then(Orientation::from_exif_chunk);
    orientation.unwrap_or(Orientation::NoTransforms)
}

/// A decoder of the formats that the `image` crate reads; of `limits` it is told the memory.
fn open<'a>(
    bytes: &'a [u8],
    format: Format,
    limits: &PictureLimits,
) -> Result<(impl ImageDecoder + 'a, Orientation), PictureError> {
    let kind = match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Pnm => ImageFormat::Pnm,
        Format::Tiff => ImageFormat::Tiff,
        Format::Heic => return Err(PictureError::Unsupported("HEIC".into())),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    reader.limits(memory(limits, format, 0));
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged("it declares no pixels".into()));
    }
    Ok((decoder, orientation))
}

/// What a decoder may take of a picture of so many pixels. Some keep a second copy while they work; a frame of a GIF may be
/// larger than the picture, beside which it lies with 5 bytes a pixel, of which 4 are counted.
fn memory(limits: &PictureLimits, format: Format, pixels: u64) -> Limits {
    let mut memory = Limits::no_limits();
    memory.max_alloc = Some(match format {
        Format::Gif => limits.max_bytes.saturating_sub(4 * pixels) / 5 * 4,
        _ => limits.max_bytes.saturating_mul(2),
    });
    memory
}

fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn refusal(error: ImageError) -> PictureError {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Cut
        }
        ImageError::Unsupported(error) => match error.format_hint() {
            ImageFormatHint::Unknown => PictureError::Unsupported(error.to_string()),
            hint => PictureError::Unsupported(format!("{hint} of a rare sort ({error})")),
        },
        error => PictureError::Damaged(error.to_string()),
    }
}

/// Someone else's parser that panics has met a damaged file.
fn guarded<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    siamese_files::guarded(work).unwrap_or_else(|gave_up| Err(PictureError::Damaged(gave_up)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_parser_is_damage() {
        let result: Result<(), _> = guarded(|| panic!("index out of bounds"));
        assert!(matches!(result, Err(PictureError::Damaged(_))));
    }
}
