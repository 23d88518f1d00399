//! What the examples share: entries without end, and a gallery of them.

use anyhow::Result;
use siamese_core::metrics::Distance;
use siamese_gallery::{About, Entry, Gallery, ModelAbout};

/// Numbers in an embedding.
pub(crate) const DIM: usize = 128;
/// Entries of a class.
const OF_A_CLASS: usize = 10;
/// Entries of a transaction.
const TOGETHER: usize = 1000;

pub(crate) fn about() -> About {
    About {
        format: 1,
        model: ModelAbout {
            place: "no model".into(),
            fingerprint: "none".into(),
            dim: DIM,
            distance: Distance::Euclidean,
            head: None,
            whole: None,
            threshold: None,
            calibration: None,
            unlike: None,
        },
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// An embedding of unit length for each seed.
pub(crate) fn embedding(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..DIM).map(|_| draw()).collect();
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.iter().map(|x| x / length).collect()
}

/// Entry `number`, with a thumbnail of the usual size.
pub(crate) fn entry(number: usize) -> Entry {
    Entry {
        class: format!("class {}", number / OF_A_CLASS),
        name: format!("{number}.jpg"),
        source: Some(format!("/photos/{number}.jpg")),
        hash: Some(format!("{number:064x}")),
        time: 1_700_000_000 + number as i64,
        data: serde_json::json!({"year": 2000 + number % 30}),
        thumbnail: Some(vec![number as u8; 2000]),
        embedding: embedding(number as u64),
    }
}

/// A new gallery of so many entries.
pub(crate) fn filled(place: &str, rows: usize) -> Result<Gallery> {
    let mut gallery = Gallery::create_as(place, about())?;
    for first in (0..rows).step_by(TOGETHER) {
        let entries: Vec<Entry> = (first..rows.min(first + TOGETHER)).map(entry).collect();
        gallery.add_entries(&entries)?;
    }
    Ok(gallery)
}
