//! One array of numbers or text in NumPy's `.npy` format, versions 1 to 3.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::Read;

use super::labels::Labels;

/// An array as it lies in the file.
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    kind: Kind,
    size: usize,
    big_endian: bool,
    descr: String,
    /// In row-major order.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
    /// Four bytes a character.
    Text,
    /// A byte a character.
    Bytes,
}

impl Array {
    /// Reads an array; `room` says whether one of so many bytes may be.
    pub(super) fn read(
        mut reader: impl Read,
        mut room: impl FnMut(u64) -> Result<(), String>,
    ) -> Result<Self, String> {
        let header = read_header(&mut reader)?;
        let descr = quoted(&header, "descr")?;
        let (kind, size, big_endian) = parse_descr(&descr)?;
        let shape = parse_shape(&header)?;
        let fortran = header
            .split("'fortran_order':")
            .nth(1)
            .ok_or("header names no order")?;
        let count = shape
            .iter()
            .try_fold(1usize, |n, side| n.checked_mul(*side));
        let expected = count
            .and_then(|n| n.checked_mul(size))
            .ok_or("its shape is too large")?;
        // texts of no letters take no bytes, and memory all the same
        room(count.unwrap_or(0).max(expected) as u64)?;
        let mut bytes = Vec::new();
        let read = reader.take(expected as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| e.to_string())?;
        if bytes.len() != expected {
            let found = if bytes.len() > expected {
                "more".to_owned()
            } else {
                bytes.len().to_string()
            };
            return Err(format!(
                "{expected} bytes of data expected for its shape, found {found}"
            ));
        }
        if fortran.trim_start().starts_with("True") {
            bytes = row_major(&bytes, &shape, size)?;
        }
        Ok(Self {
            shape,
            kind,
            size,
            big_endian,
            descr,
            bytes,
        })
    }

    /// The shape as NumPy writes it.
    pub(super) fn shape_text(&self) -> String {
        match self.shape[..] {
            [n] => format!("({n},)"),
            _ => {
                let sides: Vec<String> = self.shape.iter().map(usize::to_string).collect();
                format!("({})", sides.join(", "))
            }
        }
    }

    pub(super) fn floats(&self) -> Result<Vec<f32>, String> {
        let words = self.words();
        match (self.kind, self.size) {
            (Kind::Float, 2) => Ok(words.map(|w| half(w as u16)).collect()),
            (Kind::Float, 4) => Ok(words.map(|w| f32::from_bits(w as u32)).collect()),
            (Kind::Float, 8) => Ok(words.map(|w| f64::from_bits(w) as f32).collect()),
            (Kind::Signed | Kind::Unsigned, _) => Ok(self.integers().map(|n| n as f32).collect()),
            _ => Err(format!("has type {}, expected f2, f4 or f8", self.descr)),
        }
    }

    pub(super) fn labels(&self) -> Result<Labels, String> {
        match self.kind {
            Kind::Text | Kind::Bytes => self.texts().map(Labels::Texts),
            Kind::Float => self.whole_floats().map(Labels::Numbers),
            Kind::Bool | Kind::Signed | Kind::Unsigned => {
                Ok(Labels::Numbers(self.integers().collect()))
            }
        }
    }

    /// The items as text, without the zeros that NumPy pads them with.
    pub(super) fn texts(&self) -> Result<Vec<String>, String> {
        let count = self.shape.iter().product();
        if self.size == 0 {
            return Ok(vec![String::new(); count]);
        }
        let text = |(i, item): (usize, &[u8])| {
            let text = match self.kind {
                Kind::Bytes => String::from_utf8(item.to_vec()).ok(),
                Kind::Text => self.characters(item),
                _ => None,
            };
            let text = text.map(|text| text.trim_end_matches('\0').to_owned());
            text.ok_or_else(|| format!("[{i}] is no text that can be read"))
        };
        self.bytes
            .chunks_exact(self.size)
            .enumerate()
            .map(text)
            .collect()
    }

    fn characters(&self, item: &[u8]) -> Option<String> {
        let (characters, _) = item.as_chunks::<4>();
        let character = |bytes: &[u8; 4]| match self.big_endian {
            true => char::from_u32(u32::from_be_bytes(*bytes)),
            false => char::from_u32(u32::from_le_bytes(*bytes)),
        };
        characters.iter().map(character).collect()
    }

    /// Numbers of a floating type that are whole, as labels sometimes come.
    fn whole_floats(&self) -> Result<Vec<i128>, String> {
        let words = self.words().enumerate();
        let whole = |(i, word): (usize, u64)| {
            let value = match self.size {
                2 => f64::from(half(word as u16)),
                4 => f64::from(f32::from_bits(word as u32)),
                _ => f64::from_bits(word),
            };
            let fits = value.fract() == 0.0 && value.abs() < 9e15;
            let refused = || format!("[{i}] is {value}, labels are whole numbers or text");
            fits.then_some(value as i128).ok_or_else(refused)
        };
        words.map(whole).collect()
    }

    fn integers(&self) -> impl Iterator<Item = i128> {
        let shift = 64 - 8 * self.size as u32;
        self.words().map(move |word| match self.kind {
            Kind::Signed => i128::from(((word << shift) as i64) >> shift),
            _ => i128::from(word),
        })
    }

    /// Each item's bits, in the low end of a word.
    fn words(&self) -> impl Iterator<Item = u64> {
        self.bytes.chunks_exact(self.size).map(|item| {
            let shift_in = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
            if self.big_endian {
                item.iter().fold(0, shift_in)
            } else {
                item.iter().rev().fold(0, shift_in)
            }
        })
    }
}

/// The value of an IEEE 754 half-precision number, exactly.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Texts as NumPy keeps them: the type, and the bytes.
pub(super) fn texts(texts: &[String]) -> (String, Vec<u8>) {
    let longest = texts.iter().map(|text| text.chars().count()).max();
    let width = longest.unwrap_or(0).max(1);
    let padded = |text: &String| {
        let characters = text.chars().map(u32::from);
        let padded = characters.chain(std::iter::repeat(0)).take(width);
        padded.flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
    };
    (
        format!("<U{width}"),
        texts.iter().flat_map(padded).collect(),
    )
}

/// The header of an array of this type and shape, as NumPy pads it.
pub(super) fn header(descr: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version and length take 10 bytes; all of it, with its newline, fills 64s.
    let padding = (64 - (10 + text.len() + 1) % 64) % 64;
    text.push_str(&" ".repeat(padding));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// NumPy itself refuses headers above 10,000 bytes.
const LONGEST_HEADER: u64 = 1 << 16;

fn read_header(reader: &mut impl Read) -> Result<String, String> {
    let short = |_| "ends within its header".to_owned();
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(short)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err("is no .npy array".to_owned());
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length).map_err(short)?;
            u64::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            reader.read_exact(&mut length).map_err(short)?;
            u64::from(u32::from_le_bytes(length))
        }
        version => return Err(format!("has .npy version {version}, expected 1 to 3")),
    };
    if length > LONGEST_HEADER {
        return Err(format!("declares a header of {length} bytes"));
    }
    let mut header = Vec::new();
    reader
        .take(length)
        .read_to_end(&mut header)
        .map_err(short)?;
    if (header.len() as u64) < length {
        return Err("ends within its header".to_owned());
    }
    String::from_utf8(header).map_err(|_| "has a header that is no text".to_owned())
}

/// The quoted value of a header's key.
fn quoted(header: &str, key: &str) -> Result<String, String> {
    let value = header
        .split(&format!("'{key}':"))
        .nth(1)
        .map(str::trim_start);
    let value = value
        .and_then(|v| v.strip_prefix('\''))
        .and_then(|v| v.split('\'').next());
    value
        .map(str::to_owned)
        .ok_or_else(|| format!("has no plain `{key}` in its header"))
}

fn parse_descr(descr: &str) -> Result<(Kind, usize, bool), String> {
    let unknown = || match descr.contains('O') {
        true => format!("has type {descr}, Python objects: save .astype(str) or .astype(int)"),
        false => format!("has type {descr}, which is no plain number and no text"),
    };
    let mut rest = descr.chars();
    let order = rest.next().ok_or_else(unknown)?;
    let kind = match rest.next() {
        Some('f') => Kind::Float,
        Some('i') => Kind::Signed,
        Some('u') => Kind::Unsigned,
        Some('b') => Kind::Bool,
        Some('U') => Kind::Text,
        Some('S' | 'a') => Kind::Bytes,
        _ => return Err(unknown()),
    };
    let size: usize = rest.as_str().parse().map_err(|_| unknown())?;
    let size = match kind {
        Kind::Text => size.checked_mul(4).ok_or_else(unknown)?,
        Kind::Bytes => size,
        Kind::Float if size == 1 => return Err(unknown()),
        _ if matches!(size, 1 | 2 | 4 | 8) => size,
        _ => return Err(unknown()),
    };
    if !matches!(order, '<' | '>' | '|' | '=') {
        return Err(unknown());
    }
    Ok((kind, size, order == '>'))
}

fn parse_shape(header: &str) -> Result<Vec<usize>, String> {
    let inside = header
        .split("'shape':")
        .nth(1)
        .and_then(|v| v.trim_start().strip_prefix('('));
    let inside = inside
        .and_then(|v| v.split(')').next())
        .ok_or("has no shape in its header")?;
    let sides = inside
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty());
    sides
        .map(|side| side.parse().map_err(|_| format!("has shape ({inside})")))
        .collect()
}

/// Column-major items put in row-major order; one dimension is the same either way.
fn row_major(bytes: &[u8], shape: &[usize], size: usize) -> Result<Vec<u8>, String> {
    match *shape {
        [] | [_] => Ok(bytes.to_vec()),
        [rows, columns] => {
            let places = (0..rows).flat_map(|r| (0..columns).map(move |c| (c * rows + r) * size));
            Ok(places
                .flat_map(|at| &bytes[at..at + size])
                .copied()
                .collect())
        }
        _ => Err("is in Fortran order with more than two dimensions".to_owned()),
    }
}
