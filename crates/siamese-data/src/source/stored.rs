//! One picture as it is stored, and which of many are looked at.

/// One picture as it is stored.
#[derive(Debug, PartialEq)]
pub(crate) enum Stored {
    /// A picture file's bytes.
    Encoded(Vec<u8>),
    /// Pixels, (H, W, C).
    Raw(RawImage),
}

/// Pixels (H, W, C), as they are.
#[derive(Debug, PartialEq)]
pub(crate) struct RawImage {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// 3 for RGB, 1 for grey.
    pub(crate) channels: usize,
    pub(crate) pixels: Vec<u8>,
}

/// At most `most` of the numbers below `count`, evenly spread.
pub(crate) fn spread(count: usize, most: usize) -> Vec<usize> {
    let taken = count.min(most);
    (0..taken).map(|i| i * count / taken).collect()
}
