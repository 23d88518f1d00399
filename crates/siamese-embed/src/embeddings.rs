//! Embeddings of images, and what is asked of them.

use candle_core::Tensor;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_core::{Metric, TensorDistance, Tower};
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
/// When the images do not fit the tower, or cannot be read; when an index lies outside of the set, or there is none.
pub fn embed(tower: &Tower, images: &ImageSet, indices: &[u32]) -> Result<Embeddings, Error> {
    check(tower, images)?;
    let input = &tower.config().input;
    let mut pixels = Vec::new();
    let batches = indices.chunks(batch(input.image_len())).map(|batch| {
        pixels.clear();
        for &index in batch {
            pixels.extend_from_slice(&images.image(index as usize)?);
        }
        Ok(tower.embed(&input.to_tensor(&pixels, tower.parameters().device())?)?)
    });
    let rows = rows(images.len(), indices)?;
    let values = batches.collect::<Result<Vec<_>, Error>>()?;
    Ok(Embeddings {
        values: joined(&values)?,
        rows,
    })
}

/// The row of each of `count` images, where those at `indices` have one each in this order.
fn rows(count: usize, indices: &[u32]) -> Result<Vec<Option<u32>>, Error> {
    let mut rows = vec![None; count];
    for (row, &index) in (0u32..).zip(indices) {
        let place = rows.get_mut(index as usize).ok_or_else(|| {
            Error::Rows(format!(
                "image {index} was asked for, but the set has {count}"
            ))
        })?;
        *place = Some(row);
    }
    Ok(rows)
}

fn joined(values: &[Tensor]) -> Result<Tensor, Error> {
    match values {
        [] => Err(Error::Rows("there is no image to embed".into())),
        values => Ok(Tensor::cat(values, 0)?),
    }
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
        let values = joined(values)?;
        let count = values.dim(0)? as u32;
        Ok(Self {
            values,
            rows: (0..count).map(Some).collect(),
        })
    }

    /// Embeddings `(N, D)` of the images at `indices` in a set of `count`, in this order.
    ///
    /// # Errors
    /// When an index lies outside of the set, or there is none.
    pub fn of(values: &[Tensor], count: usize, indices: &[u32]) -> Result<Self, Error> {
        Ok(Self {
            values: joined(values)?,
            rows: rows(count, indices)?,
        })
    }

    /// The first numbers of each alone, brought to unit length, as objectives of prefixes train them.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn first(&self, numbers: usize) -> Result<Self, Error> {
        let first = Self {
            values: self.values.narrow(1, 0, numbers)?,
            rows: self.rows.clone(),
        };
        first.of_unit_length()
    }

    /// Each brought to length 1; those that are zero stay so.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn of_unit_length(self) -> Result<Self, Error> {
        let squares = self.values.sqr()?.sum_keepdim(1)?;
        let length = squares.sqrt()?.maximum(f32::MIN_POSITIVE)?;
        Ok(Self {
            values: self.values.broadcast_div(&length)?,
            rows: self.rows,
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
    /// When an image of a pair was not embedded, or a learned comparison is of embeddings of another length.
    pub fn distances(&self, pairs: &[Pair], metric: &Metric) -> Result<Vec<f32>, Error> {
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
        match metric {
            Metric::Distance(distance) => Ok(distance.between(&a, &b)?.to_vec1()?),
            Metric::Learned(comparison) => {
                let (_, dim) = a.dims2()?;
                if dim != comparison.dim() {
                    let takes = comparison.dim();
                    return Err(Error::Rows(format!(
                        "the head compares embeddings of {takes}, these are of {dim}"
                    )));
                }
                let values = |of: Tensor| of.flatten_all()?.to_vec1::<f32>();
                let distances = metric.between(&values(a)?, &values(b)?, dim);
                distances.map_err(|error| Error::Rows(error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use siamese_core::candle::Device;
    use siamese_core::{Body, Distance, Fit, ImageInput, Stage, Stages, TowerConfig};

    use super::*;

    /// A tower of grey images, 4 high and 6 wide.
    fn tower() -> Tower {
        let config = TowerConfig {
            input: ImageInput {
                height: 4,
                width: 6,
                mean: vec![0.5],
                std: vec![0.25],
                fit: Fit::Crop,
            },
            body: Body::Stages(Stages {
                stages: vec![Stage {
                    channels: 4,
                    convolutions: 1,
                }],
                ..Stages::default()
            }),
            embedding: 5,
            ..TowerConfig::system_c()
        };
        Tower::new(config, 1, &Device::Cpu).unwrap()
    }

    fn images(count: u8, (height, width): (usize, usize)) -> ImageSet {
        let value = |i: u8| (0..height * width).map(move |at| i * 40 + at as u8 * 5);
        let pixels = (0..count).flat_map(value).collect();
        let labels = vec![0; count.into()];
        ImageSet::new(height, width, 1, pixels, labels, vec!["a".into()]).unwrap()
    }

    fn said<T>(result: Result<T, Error>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn a_batch_is_bounded_in_bytes() {
        assert_eq!(batch(32 * 32 * 3), 500);
        assert_eq!(batch(28 * 28), 500);
        assert_eq!(batch(128 * 128 * 3), 31);
        assert_eq!(batch(1024 * 1024 * 3), 16);
    }

    #[test]
    fn embeddings_come_in_the_order_asked_for_and_are_found_by_image() {
        let (tower, images) = (tower(), images(4, (4, 6)));
        let all = embed(&tower, &images, &[0, 1, 2, 3]).unwrap();
        let some = embed(&tower, &images, &[3, 1]).unwrap();
        let row = |of: &Embeddings, i: usize| of.values.get(i).unwrap().to_vec1::<f32>().unwrap();
        // a batch of another size may be computed in another order
        for (at, image) in [(0, 3), (1, 1)] {
            let pairs = row(&some, at).into_iter().zip(row(&all, image));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
        }
        let pair = Pair {
            a: 1,
            b: 3,
            like: true,
        };
        let distance =
            |of: &Embeddings| of.distances(&[pair], &Distance::Cosine.into()).unwrap()[0];
        assert!((distance(&some) - distance(&all)).abs() < 1e-6);
        let absent = said(some.distances(&[Pair { a: 0, ..pair }], &Distance::Cosine.into()));
        assert!(
            absent.contains("image 0 is in a pair, but was not embedded"),
            "{absent}"
        );
    }

    #[test]
    fn an_index_outside_of_the_set_is_an_error_that_names_it() {
        let (tower, images) = (tower(), images(3, (4, 6)));
        let outside = said(embed(&tower, &images, &[0, 3]));
        assert!(
            outside.contains("image 3") && outside.contains("the set has 3"),
            "{outside}"
        );
        assert!(said(embed(&tower, &images, &[])).contains("no image to embed"));
    }

    #[test]
    fn images_of_another_shape_are_refused_with_both_shapes() {
        let shapes = said(embed(&tower(), &images(1, (6, 4)), &[0]));
        assert!(
            shapes.contains("6x4x1") && shapes.contains("4x6x1"),
            "{shapes}"
        );
    }

    #[test]
    fn a_table_has_a_label_for_each_embedding() {
        let embeddings = embed(&tower(), &images(2, (4, 6)), &[0, 1]).unwrap();
        let table = embeddings.table(&[7, 9]).unwrap();
        assert_eq!(
            (table.dim, table.values.len(), table.labels),
            (5, 10, vec![7, 9])
        );
        assert!(said(embeddings.table(&[7])).contains("1 labels for 2 embeddings"));
    }
}
