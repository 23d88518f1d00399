//! Embeddings of the images of a set.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use candle_core::Tensor;
use rayon::prelude::*;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::{Distance, Tower};
use siamese_data::{DataError, ImageSet, Pair, read_image};

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
    let input = &tower.config().input;
    ensure!(
        (images.height, images.width, images.channels)
            == (input.height, input.width, input.channels()),
        "the images are {}x{}x{}, the model takes {}x{}x{}",
        images.height,
        images.width,
        images.channels,
        input.height,
        input.width,
        input.channels()
    );
    let mut rows = vec![None; images.len()];
    for (row, &index) in indices.iter().enumerate() {
        rows[index as usize] = Some(row as u32);
    }
    let mut values = Vec::new();
    let mut pixels = Vec::with_capacity(BATCH * images.image_len());
    for batch in indices.chunks(BATCH) {
        pixels.clear();
        for &index in batch {
            pixels.extend_from_slice(&images.image(index as usize)?);
        }
        values.push(tower.embed(&input.to_tensor(&pixels, device)?)?);
    }
    Ok(Embeddings {
        values: Tensor::cat(&values, 0)?,
        rows,
    })
}

/// The embeddings of picture files, in their order, each resized to what the tower takes.
///
/// # Errors
/// When a file cannot be read (it is named), or the tower takes other than three channels.
pub fn embed_files(tower: &Tower, files: &[PathBuf]) -> Result<Embeddings> {
    let device = tower.parameters().device();
    let input = &tower.config().input;
    ensure!(
        input.channels() == 3,
        "the model takes images of {} channels, pictures are read as RGB",
        input.channels()
    );
    let mut values = Vec::new();
    for batch in files.chunks(BATCH) {
        let read = |file: &PathBuf| read_image(file, (input.height, input.width));
        let pictures: Vec<Vec<u8>> = batch
            .par_iter()
            .map(read)
            .collect::<Result<_, DataError>>()?;
        values.push(tower.embed(&input.to_tensor(&pictures.concat(), device)?)?);
    }
    Ok(Embeddings {
        values: Tensor::cat(&values, 0)?,
        rows: (0..files.len() as u32).map(Some).collect(),
    })
}

impl Embeddings {
    /// The embeddings as plain numbers, with the label of each.
    ///
    /// # Errors
    /// When there are not as many labels as embeddings.
    pub fn table(&self, labels: &[u32]) -> Result<EmbeddingTable> {
        let (rows, dim) = self.values.dims2()?;
        ensure!(
            rows == labels.len(),
            "{} labels for {rows} embeddings",
            labels.len()
        );
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
