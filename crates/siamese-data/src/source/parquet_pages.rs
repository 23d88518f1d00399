//! What the pages of a parquet column claim to unpack to, told before one is unpacked.
//!
//! A reader makes room for what a page's header says, and a header may say two gigabytes of twenty bytes. The headers are
//! in Thrift's compact form: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use std::fs::File;

use siamese_files::limits::check_growth;

use crate::pixel_store::read_at;

/// Of most headers the first is enough; those with statistics of long texts are longer.
const HEADERS: [u64; 2] = [1 << 10, 1 << 20];

/// Nested deeper than any header.
const DEEPEST: usize = 16;

/// Checks the pages between two places of a file.
///
/// # Errors
///
/// In words, if they unpack to more than is allowed.
pub(crate) fn check_pages(file: &File, (start, end): (u64, u64)) -> Result<(), String> {
    let (mut at, mut unpacked) = (start, 0u64);
    while at < end {
        // what cannot be read here the reader cannot read either, and says so
        let Some(page) = HEADERS
            .iter()
            .find_map(|&most| page_at(file, at, most.min(end - at)))
        else {
            return Ok(());
        };
        unpacked = unpacked.saturating_add(page.unpacked);
        check_growth(end - start, unpacked)?;
        at = at.saturating_add(page.header).saturating_add(page.packed);
    }
    Ok(())
}

/// The lengths of a page, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    header: u64,
    unpacked: u64,
    packed: u64,
}

fn page_at(file: &File, at: u64, length: u64) -> Option<Page> {
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    read_at(file, &mut bytes, at).ok()?;
    page(&bytes)
}

/// `PageHeader { 1: type, 2: i32 uncompressed_page_size, 3: i32 compressed_page_size, … }`
fn page(bytes: &[u8]) -> Option<Page> {
    let mut header = Compact { bytes, at: 0 };
    let (mut unpacked, mut packed) = (None, None);
    header.fields(0, &mut |header, number, kind| {
        match (number, kind) {
            (2, I32) => unpacked = Some(header.whole()?),
            (3, I32) => packed = Some(header.whole()?),
            _ => header.skip(kind, 1)?,
        }
        Some(())
    })?;
    Some(Page {
        header: header.at as u64,
        unpacked: u64::try_from(unpacked?).ok()?,
        packed: u64::try_from(packed?).ok()?,
    })
}

const I32: u8 = 5;

/// A field's place in the bytes, its number and its type.
type Field<'f, 'a> = &'f mut dyn FnMut(&mut Compact<'a>, i64, u8) -> Option<()>;

/// Reads Thrift's compact form.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    fn fields(&mut self, depth: usize, field: Field<'_, 'a>) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let mut number = 0i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            number = match head >> 4 {
                0 => self.whole()?,
                step => number + i64::from(step),
            };
            field(self, number, head & 0xf)?;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at)?;
        self.at += 1;
        Some(*byte)
    }

    fn skip_bytes(&mut self, length: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    /// Seven bits a byte, the low ones first.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A number with its sign in the lowest bit.
    fn whole(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // a field's truth is its type
            1 | 2 => Some(()),
            3 => self.skip_bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            8 => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    count => u64::from(count),
                };
                (0..count).try_for_each(|_| self.skip_element(head & 0xf, depth + 1))
            }
            11 => {
                let count = self.varint()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth + 1)?;
                    self.skip_element(kinds & 0xf, depth + 1)
                })
            }
            12 => self.fields(depth, &mut |header, _, kind| header.skip(kind, depth + 1)),
            _ => None,
        }
    }

    /// Within a list a truth takes a byte.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1 | 2 => self.skip_bytes(1),
            kind => self.skip(kind, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A data page of `packed` bytes that claims to be `unpacked`, with statistics and a flag.
    fn header(unpacked: i32, packed: i32) -> Vec<u8> {
        let varint = |value: i32| {
            let mut value = ((value as u32) << 1) ^ ((value >> 31) as u32);
            let mut bytes = Vec::new();
            while value > 0x7f {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut bytes = vec![0x15, 0, 0x15];
        bytes.extend(varint(unpacked));
        bytes.push(0x15);
        bytes.extend(varint(packed));
        // field 5: a structure of a number, a text, a list of truths and a flag
        bytes.extend([
            0x2c, 0x15, 12, 0x18, 2, b'a', b'b', 0x19, 0x21, 1, 2, 0x11, 0, 0,
        ]);
        bytes
    }

    #[test]
    fn a_header_is_read_to_its_end_whatever_is_in_it() {
        let bytes = [header(70_000, 20), vec![9; 20]].concat();
        let expected = Page {
            header: bytes.len() as u64 - 20,
            unpacked: 70_000,
            packed: 20,
        };
        assert_eq!(page(&bytes), Some(expected));
        for end in 0..bytes.len() - 20 {
            assert_eq!(page(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(page(&header(-1, 20)), None);
    }

    #[test]
    fn pages_that_claim_gigabytes_are_refused_by_their_sum() {
        let mut file = tempfile::tempfile().unwrap();
        let page = [header(200 << 20, 20), vec![0; 20]].concat();
        file.write_all(&page.repeat(2)).unwrap();
        let length = page.len() as u64;
        assert_eq!(check_pages(&file, (0, length)), Ok(()));
        let error = check_pages(&file, (0, 2 * length)).unwrap_err();
        assert!(error.contains("SIAMESE_MAX_RATIO"), "{error}");
    }
}
