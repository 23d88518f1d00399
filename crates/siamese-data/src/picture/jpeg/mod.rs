//! JPEG files: what their markers say, and whether they hold the whole picture.
//!
//! Decoders fill what is missing with grey, or with what zeros mean in the picture's code. Here the
//! compressed data is followed by ones instead, which no Huffman code may consist of (ITU-T T.81,
//! C.2): a decoder that needs more than there is fails at once.

mod complete;
mod segments;

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::limits::PictureError;
use complete::Scans;
use segments::{Segment, Segments};
use siamese_framing::Colour;

const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;
const RESTART_INTERVAL: u8 = 0xDD;
const EXIF: &[u8] = b"Exif\0\0";

/// More ones than a code with its value has bits.
const ONES: usize = 16;

/// What stands before the compressed data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) components: u8,
    /// The camera's notes, from the TIFF header on.
    pub(super) exif: Option<&'a [u8]>,
    progressive: bool,
    /// Pixels of a unit of the compressed data, (height, width).
    unit: (usize, usize),
    /// Coefficients of a unit, of all components.
    coefficients: usize,
    /// The names of the components.
    ids: Vec<u8>,
}

impl Header<'_> {
    /// Bytes that decoding keeps for each pixel: its colours, and of a progressive file all coefficients, two bytes each.
    pub(super) fn bytes_of_a_pixel(&self) -> u64 {
        let colours = if self.components == 1 { 1 } else { 3 };
        let (height, width) = self.unit;
        let kept = match self.progressive {
            true => (2 * self.coefficients).div_ceil(height * width),
            false => 0,
        };
        colours + kept as u64
    }
}

/// Reads the markers up to the one that declares the size.
pub(super) fn header(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    let mut exif = None;
    for segment in Segments::of(bytes) {
        let Segment { marker, body, .. } = segment?;
        match marker {
            0xE1 if exif.is_none() => exif = body.strip_prefix(EXIF),
            0xC0..=0xC2 => return frame(body, exif, marker == 0xC2),
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(unsupported("lossless, hierarchical or arithmetic"));
            }
            START_OF_SCAN | END_OF_IMAGE => {
                return Err(PictureError::Damaged("no size before its data".into()));
            }
            _ => {}
        }
    }
    Err(PictureError::Cut)
}

/// Reads the body of a start of frame (T.81, B.2.2).
fn frame<'a>(
    body: &[u8],
    exif: Option<&'a [u8]>,
    progressive: bool,
) -> Result<Header<'a>, PictureError> {
    let &[precision, h1, h0, w1, w0, components, ref each @ ..] = body else {
        return Err(PictureError::Damaged(
            "its frame header is too short".into(),
        ));
    };
    let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
    let (height, width) = (side(h1, h0), side(w1, w0));
    if precision != 8 {
        return Err(unsupported("12-bit"));
    }
    if height == 0 || width == 0 {
        return Err(PictureError::Damaged("it declares no pixels".into()));
    }
    let each: Vec<[u8; 3]> = each.as_chunks().0.to_vec();
    let factors = each.iter().map(|component| component[1]);
    let most = |shift: u8| factors.clone().map(|f| usize::from(f >> shift & 15)).max();
    let (h, w) = (most(0).unwrap_or(1), most(4).unwrap_or(1));
    // A scan of one component has single blocks, whatever the factors say.
    let unit = if components == 1 {
        (8, 8)
    } else {
        (8 * h, 8 * w)
    };
    let blocks: usize = factors
        .map(|f| usize::from(f >> 4) * usize::from(f & 15))
        .sum();
    Ok(Header {
        height,
        width,
        components,
        exif,
        progressive,
        unit,
        coefficients: 64 * blocks,
        ids: each.iter().map(|component| component[0]).collect(),
    })
}

/// The pixels (H, W, C) of a JPEG as RGB, or as grey where it is grey or `wanted` so.
///
/// # Errors
///
/// [`PictureError::Cut`] where any of the picture is missing, at whatever marker the file ends.
pub(super) fn pixels(
    bytes: &[u8],
    header: &Header,
    wanted: Option<Colour>,
) -> Result<(Vec<u8>, Colour), PictureError> {
    let clean = cleaned(bytes, header)?;
    let grey = header.components == 1 || (header.components == 3 && wanted == Some(Colour::Grey));
    let (space, colour) = if grey {
        (ColorSpace::Luma, Colour::Grey)
    } else {
        (ColorSpace::RGB, Colour::Rgb)
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&clean), options);
    let pixels = decoder.decode().map_err(refusal)?;
    if pixels.len() != header.height * header.width * colour.channels() {
        return Err(PictureError::Damaged(
            "it has other pixels than declared".into(),
        ));
    }
    Ok((pixels, colour))
}

fn refusal(error: DecodeErrors) -> PictureError {
    match error {
        DecodeErrors::Unsupported(scheme) => unsupported(&format!("{scheme:?}")),
        DecodeErrors::ExhaustedData => PictureError::Cut,
        error => {
            let reason = error.to_string();
            if reason.contains("Bad Huffman Code") || reason.contains("Premature end") {
                PictureError::Cut
            } else {
                PictureError::Damaged(reason)
            }
        }
    }
}

fn unsupported(coding: &str) -> PictureError {
    PictureError::Unsupported(format!("a JPEG of {coding} coding"))
}

/// The parts of the file that a decoder needs, without stray bytes, notes and what follows the end
/// (a phone's trailer, a second picture), and with ones after the compressed data.
fn cleaned(bytes: &[u8], header: &Header) -> Result<Vec<u8>, PictureError> {
    let mut clean = Vec::with_capacity(bytes.len() + 64);
    clean.extend([0xFF, 0xD8]);
    let mut scans = Scans::of(header);
    for segment in Segments::of(bytes) {
        let Segment { marker, body, data } = segment?;
        match marker {
            END_OF_IMAGE => {
                scans.check_end()?;
                clean.extend([0xFF, 0].repeat(ONES));
                clean.extend([0xFF, END_OF_IMAGE]);
                return Ok(clean);
            }
            // Of the notes only those of JFIF and Adobe tell how to decode.
            0xE1..=0xED | 0xEF | 0xFE => continue,
            RESTART_INTERVAL => scans.restart_every(body),
            START_OF_SCAN => scans.scan(body, data)?,
            _ => {}
        }
        clean.extend([0xFF, marker]);
        clean.extend((body.len() as u16 + 2).to_be_bytes());
        clean.extend(body);
        clean.extend(data);
    }
    Err(PictureError::Cut)
}
