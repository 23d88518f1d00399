//! The images of one batch.

/// The images of one batch; two of them are like where their labels are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draw {
    /// Indices into the image set. Of pairs: the B anchors, then their B partners.
    pub indices: Vec<u32>,
    /// The class of each.
    pub labels: Vec<u32>,
    /// Whether these are pairs: image `i` and image `B + i` belong together.
    pub paired: bool,
}
