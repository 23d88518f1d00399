//! Pictures through an embedder in ONNX.

use anyhow::{Result, bail};
use siamese_core::candle::{Device, Tensor};
use siamese_data::{ImageSet, Progress};
use siamese_embed::Embeddings;
use siamese_onnx::OnnxEmbedder;

/// Bytes of pictures that pass the graph at once, and the most pictures.
const AT_ONCE: (usize, usize) = (8 << 20, 64);

/// The embeddings of all images of a set.
pub(crate) fn embed(embedder: &OnnxEmbedder, images: &ImageSet) -> Result<Embeddings> {
    let len = embedder.input().image_len();
    let batch = (AT_ONCE.0 / len.max(1)).clamp(1, AT_ONCE.1);
    let indices: Vec<u32> = (0..images.len() as u32).collect();
    let mut meter = Progress::default().images("embedding", images.len() as u64);
    let (mut values, mut dim, mut done) = (Vec::new(), 0, 0);
    for some in indices.chunks(batch) {
        let rows = embedder.embed(&pixels(images, some)?)?;
        let found = rows.len() / some.len();
        if dim != 0 && found != dim {
            bail!("it gave {dim} numbers a picture, and then {found}");
        }
        dim = found;
        values.push(Tensor::from_vec(rows, (some.len(), dim), &Device::Cpu)?);
        done += some.len();
        meter.set(done as u64);
    }
    meter.finish();
    Ok(Embeddings::of(&values, images.len(), &indices)?)
}

/// The bytes of these images, one after the other.
pub(crate) fn pixels(images: &ImageSet, indices: &[u32]) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    for &index in indices {
        pixels.extend_from_slice(&images.image(index as usize)?);
    }
    Ok(pixels)
}
