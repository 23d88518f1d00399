//! The segments of a JPEG file.

use super::{END_OF_IMAGE, START_OF_SCAN};
use crate::picture::limits::PictureError;

/// A marker with what belongs to it.
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    pub(super) body: &'a [u8],
    /// Compressed data, after a start of scan.
    pub(super) data: &'a [u8],
}

/// Walks from marker to marker (T.81, B.1.1): the bytes `FF D9` mean nothing in between, as in the
/// preview that a camera embeds. Stray bytes between segments are passed over.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, PictureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        // Neither padding, nor a marker that stands alone.
        let begins =
            |two: &[u8]| two[0] == 0xFF && !matches!(two[1], 0x00 | 0x01 | 0xFF | 0xD0..=0xD8);
        let start = rest.windows(2).position(begins)?;
        let marker = rest[start + 1];
        let rest = &rest[start + 2..];
        self.at += start + 2;
        if marker == END_OF_IMAGE {
            let (body, data) = (&rest[..0], &rest[..0]);
            return Some(Ok(Segment { marker, body, data }));
        }
        let length = rest
            .first_chunk()
            .map(|two| usize::from(u16::from_be_bytes(*two)));
        let Some(body) = length.and_then(|length| rest.get(2..length.max(2))) else {
            self.at = self.bytes.len();
            return Some(Err(PictureError::Cut));
        };
        let after = &rest[2 + body.len()..];
        let data = if marker == START_OF_SCAN {
            let ends = |two: &[u8]| two[0] == 0xFF && !matches!(two[1], 0x00 | 0xD0..=0xD7 | 0xFF);
            let length = after.windows(2).position(ends);
            &after[..length.unwrap_or(after.len())]
        } else {
            &after[..0]
        };
        self.at += 2 + body.len() + data.len();
        Some(Ok(Segment { marker, body, data }))
    }
}
