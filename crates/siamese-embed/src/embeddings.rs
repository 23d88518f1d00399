//! Embeddings of images, and what is asked of them.

use candle_core::Tensor;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::{Distance, TensorDistance, Tower};
use siamese_data::{ImageSet, Pair};

use crate::error::Error;

/// Bytes of images that pass the tower at once, as f32; it bounds the memory that an evaluation takes.
const BATCH_BYTES: usize = 500 * 32 * 32 * 3 * 4;
/// Images at once at most and at least.
const BATCH: (usize, usize) = (500, 16);

/// Embeddings of some images.
pub struct Embeddings {
    /// `(N, D)`, in the order asked for.
    pub values: Tensor,
    /// Row of each image of the set, `None` for those not embedded.
    rows: Vec<Option<u32>>,
}

/// The embeddings of the images of a set at `indices`.
///
/// # Errors
/// When the images do not fit the tower, or cannot be read.
pub fn embed(tower: &Tower, images: &ImageSet, indices: &[u32]) -> Result<Embeddings, Error> {
    check(tower, images)?;
    let input = &tower.config().input;
    let mut rows = vec![None; images.len()];
    for (row, &index) in indices.iter().enumerate() {
        rows[index as usize] = Some(row as u32);
    }
    let mut pixels = Vec::new();
    let batches = indices.chunks(batch(input.image_len())).map(|batch| {
        pixels.clear();
        for &index in batch {
            pixels.extend_from_slice(&images.image(index as usize)?);
        }
        Ok(tower.embed(&input.to_tensor(&pixels, tower.parameters().device())?)?)
    });
    let values = batches.collect::<Result<Vec<_>, Error>>()?;
    Ok(Embeddings {
        values: Tensor::cat(&values, 0)?,
        rows,
    })
}

/// How many images of so many values pass the tower at once.
pub(crate) fn batch(image_len: usize) -> usize {
    (BATCH_BYTES / (4 * image_len).max(1)).clamp(BATCH.1, BATCH.0)
}

fn check(tower: &Tower, images: &ImageSet) -> Result<(), Error> {
    let input = &tower.config().input;
    let found = (images.height, images.width, images.channels);
    let wanted = (input.height, input.width, input.channels());
    if found != wanted {
        let shape = |(h, w, c)| format!("{h}x{w}x{c}");
        return Err(Error::Shape {
            found: shape(found),
            wanted: shape(wanted),
        });
    }
    Ok(())
}

impl Embeddings {
    /// Embeddings `(N, D)` of N things in their order.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn of_all(values: &[Tensor]) -> Result<Self, Error> {
        let values = Tensor::cat(values, 0)?;
        let count = values.dim(0)? as u32;
        Ok(Self {
            values,
            rows: (0..count).map(Some).collect(),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.dims()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The embeddings as plain numbers, with the label of each.
    ///
    /// # Errors
    /// When there are not as many labels as embeddings.
    pub fn table(&self, labels: &[u32]) -> Result<EmbeddingTable, Error> {
        let (rows, dim) = self.values.dims2()?;
        if rows != labels.len() {
            let message = format!("{} labels for {rows} embeddings", labels.len());
            return Err(Error::Rows(message));
        }
        Ok(EmbeddingTable {
            values: self.values.flatten_all()?.to_vec1()?,
            dim,
            labels: labels.to_vec(),
        })
    }

    /// Distances of pairs of embedded images.
    ///
    /// # Errors
    /// When an image of a pair was not embedded.
    pub fn distances(&self, pairs: &[Pair], distance: Distance) -> Result<Vec<f32>, Error> {
        let side = |image: fn(&Pair) -> u32| -> Result<Tensor, Error> {
            let row = |pair| {
                let index = image(pair);
                let row = self.rows.get(index as usize).copied().flatten();
                row.ok_or_else(|| {
                    Error::Rows(format!("image {index} is in a pair, but was not embedded"))
                })
            };
            let rows: Vec<u32> = pairs.iter().map(row).collect::<Result<_, _>>()?;
            let rows = Tensor::new(rows, self.values.device())?;
            Ok(self.values.index_select(&rows, 0)?)
        };
        let (a, b) = (side(|p| p.a)?, side(|p| p.b)?);
        Ok(distance.between(&a, &b)?.to_vec1()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_in_bytes() {
        assert_eq!(batch(32 * 32 * 3), 500);
        assert_eq!(batch(28 * 28), 500);
        assert_eq!(batch(128 * 128 * 3), 31);
        assert_eq!(batch(1024 * 1024 * 3), 16);
    }
}
