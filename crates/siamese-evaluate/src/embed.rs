//! Embeddings of the images of a set.

use anyhow::Result;
use candle_core::Tensor;
use siamese_core::{Distance, Tower};
use siamese_data::{ImageSet, Pair};

/// Images that pass the tower at once; it bounds the memory that an evaluation takes.
const BATCH: usize = 500;

/// Embeddings of some images of a set.
pub struct Embeddings {
    /// `(N, D)`, in the order asked for.
    pub values: Tensor,
    /// Row of each image of the set, `None` for those not embedded.
    rows: Vec<Option<u32>>,
}

/// The embeddings of the images at `indices`.
///
/// # Errors
/// When the images do not fit the tower.
pub fn embed(tower: &Tower, images: &ImageSet, indices: &[u32]) -> Result<Embeddings> {
    let device = tower.parameters().device();
    let mut rows = vec![None; images.len()];
    for (row, &index) in indices.iter().enumerate() {
        rows[index as usize] = Some(row as u32);
    }
    let mut values = Vec::new();
    let mut pixels = Vec::with_capacity(BATCH * images.image_len());
    for batch in indices.chunks(BATCH) {
        pixels.clear();
        for &index in batch {
            pixels.extend_from_slice(images.image(index as usize));
        }
        values.push(tower.embed(&tower.config().input.to_tensor(&pixels, device)?)?);
    }
    Ok(Embeddings {
        values: Tensor::cat(&values, 0)?,
        rows,
    })
}

impl Embeddings {
    /// Distances of pairs of embedded images.
    ///
    /// # Errors
    /// When an image of a pair was not embedded.
    pub fn distances(&self, pairs: &[Pair], distance: Distance) -> Result<Vec<f32>> {
        let side = |image: fn(&Pair) -> u32| -> Result<Tensor> {
            let row = |pair| {
                let index = image(pair);
                let row = self.rows.get(index as usize).copied().flatten();
                row.ok_or_else(|| {
                    anyhow::anyhow!("image {index} is in a pair, but was not embedded")
                })
            };
            let rows: Vec<u32> = pairs.iter().map(row).collect::<Result<_>>()?;
            let rows = Tensor::new(rows, self.values.device())?;
            Ok(self.values.index_select(&rows, 0)?)
        };
        Ok(distance
            .between(&side(|p| p.a)?, &side(|p| p.b)?)?
            .to_vec1()?)
    }
}
