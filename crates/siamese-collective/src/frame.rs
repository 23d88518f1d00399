//! What goes over a connection: a kind, what it belongs to, a length, bytes.

/// Bytes of a frame's head.
pub(crate) const HEAD: usize = 14;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A part of an exchange.
    Data,
    /// Nothing, but that the process is there.
    Beat,
    /// A process has ended: its rank and what became of it.
    Abort,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// Which exchange it is a part of: one of sum, gather, broadcast.
    pub(crate) exchange: u8,
    /// How many exchanges came before.
    pub(crate) turn: u32,
    /// Bytes that follow.
    pub(crate) length: u64,
}

impl Head {
    pub(crate) fn frame(kind: Kind, exchange: u8, turn: u32, bytes: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(HEAD + bytes.len());
        frame.push(match kind {
            Kind::Data => 1,
            Kind::Beat => 2,
            Kind::Abort => 3,
        });
        frame.push(exchange);
        frame.extend(turn.to_le_bytes());
        frame.extend((bytes.len() as u64).to_le_bytes());
        frame.extend(bytes);
        frame
    }

    /// `None` where it is no head.
    pub(crate) fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        let [kind, exchange, turn @ .., l0, l1, l2, l3, l4, l5, l6, l7] = *bytes;
        Some(Self {
            kind: match kind {
                1 => Kind::Data,
                2 => Kind::Beat,
                3 => Kind::Abort,
                _ => return None,
            },
            exchange,
            turn: u32::from_le_bytes(turn),
            length: u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
        })
    }
}

/// Numbers as bytes, little end first.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Bytes as numbers.
pub(crate) fn to_values(bytes: &[u8]) -> impl ExactSizeIterator<Item = f32> {
    let four = bytes.chunks_exact(4);
    four.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}
