//! What the frozen part of a tower makes of images, made once and kept: it is the same in every epoch.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use siamese_core::Tower;
use siamese_data::ImageSet;

/// Images that pass the frozen part at once. The number is fixed, since the last bits depend on it, and a run that is
/// gone on with must find the same.
const AT_ONCE: usize = 16;
/// What is kept in memory at most, in bytes; more goes to a file.
const IN_MEMORY: u64 = 2 << 30;

/// The outputs of the frozen part, by image.
pub(crate) struct Kept {
    /// Of one image: `(C, H, W)`, or `(F)`.
    shape: Vec<usize>,
    /// The row of each image of the set, where it has one.
    rows: Vec<Option<u32>>,
    store: Store,
}

enum Store {
    Memory(Vec<f32>),
    /// Rows one after another; the file is removed with this.
    Disk(Mutex<File>),
}

impl Kept {
    /// Passes the images at `indices` through the frozen part of `tower`; what does not fit into memory goes to a file
    /// without a name in `folder`.
    ///
    /// # Errors
    /// When an image cannot be read, or the file cannot be written.
    pub(crate) fn of(
        tower: &Tower,
        images: &ImageSet,
        indices: &[u32],
        folder: &Path,
    ) -> Result<Self> {
        Self::within(IN_MEMORY, tower, images, indices, folder)
    }

    fn within(
        most: u64,
        tower: &Tower,
        images: &ImageSet,
        indices: &[u32],
        folder: &Path,
    ) -> Result<Self> {
        let input = &tower.config().input;
        let mut rows = vec![None; images.len()];
        for (row, &index) in (0u32..).zip(indices) {
            rows[index as usize] = Some(row);
        }
        let mut kept = Self {
            shape: Vec::new(),
            rows,
            store: Store::Memory(Vec::new()),
        };
        for batch in indices.chunks(AT_ONCE) {
            let mut pixels = Vec::with_capacity(batch.len() * input.image_len());
            for &index in batch {
                pixels.extend_from_slice(&images.image(index as usize)?);
            }
            let images = input.to_tensor(&pixels, tower.parameters().device())?;
            let made = tower.freeze(&images)?;
            kept.shape = made.dims()[1..].to_vec();
            let bytes = 4 * (kept.len() * indices.len()) as u64;
            if bytes > most && matches!(kept.store, Store::Memory(_)) {
                let file = tempfile::tempfile_in(folder)
                    .with_context(|| format!("keeping what is frozen in {}", folder.display()))?;
                kept.store = Store::Disk(Mutex::new(file));
            }
            kept.store.push(channels_last(&made)?.to_vec1()?)?;
        }
        Ok(kept)
    }

    /// What the frozen part makes of made-up images, the first of a set.
    pub(crate) fn made_up(tower: &Tower, images: &Tensor, indices: &[u32]) -> Result<Self> {
        let made = tower.freeze(&images.to_device(tower.parameters().device())?)?;
        Ok(Self {
            shape: made.dims()[1..].to_vec(),
            rows: indices.iter().map(|&index| Some(index)).collect(),
            store: Store::Memory(channels_last(&made)?.to_vec1()?),
        })
    }

    /// Numbers of one image.
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether all of these are kept.
    pub(crate) fn has(&self, indices: &[u32]) -> bool {
        let row = |&index: &u32| self.rows.get(index as usize).copied().flatten();
        indices.iter().all(|index| row(index).is_some())
    }

    /// What the frozen part made of these images, as it gave it.
    ///
    /// # Errors
    /// When one of them is not kept, or the file cannot be read.
    pub(crate) fn get(&self, indices: &[u32], device: &Device) -> Result<Tensor> {
        let len = self.len();
        let mut values = vec![0f32; indices.len() * len];
        for (&index, values) in indices.iter().zip(values.chunks_exact_mut(len)) {
            let row = self.rows.get(index as usize).copied().flatten();
            let row = row.with_context(|| format!("image {index} is not kept"))?;
            self.store.read(row as usize, values)?;
        }
        let tensor = match self.shape[..] {
            [c, h, w] => {
                Tensor::from_vec(values, (indices.len(), h, w, c), device)?.permute((0, 3, 1, 2))?
            }
            _ => Tensor::from_vec(values, (indices.len(), len), device)?,
        };
        Ok(tensor)
    }
}

impl Store {
    fn push(&mut self, values: Vec<f32>) -> Result<()> {
        match self {
            Self::Memory(all) => all.extend(values),
            Self::Disk(file) => {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&bytes).context("keeping what is frozen")?;
            }
        }
        Ok(())
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<()> {
        match self {
            Self::Memory(all) => into.copy_from_slice(&all[row * into.len()..][..into.len()]),
            Self::Disk(file) => {
                let mut bytes = vec![0; 4 * into.len()];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start((row * bytes.len()) as u64))?;
                file.read_exact(&mut bytes)
                    .context("reading what is frozen")?;
                for (value, bytes) in into.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
        }
        Ok(())
    }
}

/// `(B, C, H, W)` or `(B, F)` → all values, a pixel's channels side by side as the kernels have them.
fn channels_last(made: &Tensor) -> Result<Tensor> {
    ensure!(
        matches!(made.rank(), 2 | 4),
        "the frozen part gives {:?}",
        made.dims()
    );
    let made = match made.rank() {
        4 => made.permute((0, 2, 3, 1))?,
        _ => made.clone(),
    };
    Ok(made.flatten_all()?)
}

#[cfg(test)]
mod tests {
    use siamese_core::{Body, ImageInput, Mlp, Resnet9, TowerConfig};

    use super::*;

    fn of(body: Body, frozen: &str) -> (Tower, ImageSet) {
        let config = TowerConfig {
            input: ImageInput {
                height: 16,
                width: 24,
                mean: vec![0.5],
                std: vec![0.25],
                fit: Default::default(),
            },
            body,
            frozen: Some(frozen.into()),
            ..TowerConfig::system_c()
        };
        let tower = Tower::new(config, 1, &Device::Cpu).unwrap();
        let pixels = (0..20 * 16 * 24u32).map(|i| (i * 37 % 251) as u8).collect();
        let set = ImageSet::new(16, 24, 1, pixels, vec![0; 20], vec!["a".into()]).unwrap();
        (tower, set)
    }

    #[test]
    fn what_is_kept_is_what_the_frozen_part_gives_in_memory_and_on_disk() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let cases = [
            (Body::Resnet9(Resnet9 { width: 3 }), "stage1"),
            (Body::Mlp(Mlp::default()), "1"),
        ];
        for (body, frozen) in cases {
            let (tower, images) = of(body, frozen);
            let indices: Vec<u32> = (1..20).rev().collect();
            for most in [0, u64::MAX] {
                let kept = Kept::within(most, &tower, &images, &indices, folder.path())?;
                assert!(kept.has(&[1, 19]) && !kept.has(&[1, 0]));
                assert_eq!(matches!(kept.store, Store::Disk(_)), most == 0);
                let some = [4u32, 17];
                let mut pixels = Vec::new();
                for index in some {
                    pixels.extend_from_slice(&images.image(index as usize)?);
                }
                let input = tower.config().input.to_tensor(&pixels, &Device::Cpu)?;
                let (made, expected) = (kept.get(&some, &Device::Cpu)?, tower.freeze(&input)?);
                assert_eq!(made.dims(), expected.dims());
                let off = (made - expected)?.abs()?.flatten_all()?.max(0)?;
                assert!(off.to_scalar::<f32>()? < 1e-5);
                assert!(kept.get(&[0], &Device::Cpu).is_err());
            }
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}
