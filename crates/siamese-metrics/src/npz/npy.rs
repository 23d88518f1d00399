//! One array in NumPy's `.npy` format, versions 1 to 3.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::Read;

/// A numeric array as it lies in the file.
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
}

impl Array {
    pub(super) fn read(mut reader: impl Read) -> Result<Self, String> {
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
            (Kind::Float, 4) => Ok(words.map(|w| f32::from_bits(w as u32)).collect()),
            (Kind::Float, 8) => Ok(words.map(|w| f64::from_bits(w) as f32).collect()),
            _ => Err(format!("has type {}, expected f4 or f8", self.descr)),
        }
    }

    pub(super) fn labels(&self) -> Result<Vec<u32>, String> {
        if matches!(self.kind, Kind::Float | Kind::Bool) {
            return Err(format!("has type {}, expected integers", self.descr));
        }
        let shift = 64 - 8 * self.size as u32;
        let label = |(i, word): (usize, u64)| {
            let signed = ((word << shift) as i64) >> shift;
            let value = match self.kind {
                Kind::Signed => i128::from(signed),
                _ => i128::from(word),
            };
            u32::try_from(value)
                .map_err(|_| format!("[{i}] is {value}, labels go from 0 to {}", u32::MAX))
        };
        self.words().enumerate().map(label).collect()
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
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            reader.read_exact(&mut length).map_err(short)?;
            u32::from_le_bytes(length) as usize
        }
        version => return Err(format!("has .npy version {version}, expected 1 to 3")),
    };
    let mut header = Vec::new();
    reader
        .take(length as u64)
        .read_to_end(&mut header)
        .map_err(short)?;
    if header.len() < length {
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
    let unknown = || format!("has type {descr}, which is no plain number");
    let mut rest = descr.chars();
    let order = rest.next().ok_or_else(unknown)?;
    let kind = match rest.next() {
        Some('f') => Kind::Float,
        Some('i') => Kind::Signed,
        Some('u') => Kind::Unsigned,
        Some('b') => Kind::Bool,
        _ => return Err(unknown()),
    };
    let size: usize = rest.as_str().parse().map_err(|_| unknown())?;
    if !matches!(size, 1 | 2 | 4 | 8) || !matches!(order, '<' | '>' | '|' | '=') {
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
