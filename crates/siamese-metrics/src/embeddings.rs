//! A borrowed, checked table of embeddings with their labels.

use crate::error::{Error, Result, check_same_length};

/// Embeddings `(N, D)`, row after row, and the label of each row.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingView<'a> {
    values: &'a [f32],
    dim: usize,
    labels: &'a [u32],
}

impl<'a> EmbeddingView<'a> {
    /// Wraps `values` as rows of `dim` numbers.
    ///
    /// # Errors
    /// No rows, `dim` of 0, a length that is not `labels.len() · dim`, a NaN or infinite value, or
    /// more than `u32::MAX` rows.
    pub fn new(values: &'a [f32], dim: usize, labels: &'a [u32]) -> Result<Self> {
        if labels.is_empty() || dim == 0 {
            return Err(Error::Empty { what: "embeddings" });
        }
        check_same_length(
            ("embeddings", values.len()),
            ("labels × dimension", labels.len().saturating_mul(dim)),
        )?;
        if u32::try_from(labels.len()).is_err() {
            let why = format!("{} rows, at most {} can be ranked", labels.len(), u32::MAX);
            return Err(Error::Invalid {
                what: "embeddings",
                why,
            });
        }
        check_rows(values, dim)?;
        Ok(Self {
            values,
            dim,
            labels,
        })
    }

    /// Number of rows, N; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Numbers in a row, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The label of each row.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The rows alone.
    pub(crate) fn plain(&self) -> Rows<'a> {
        Rows {
            values: self.values,
            dim: self.dim,
        }
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.values.chunks_exact(self.dim)
    }
}

/// Rows that were checked before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) dim: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    pub(crate) fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dim..][..self.dim]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.values.chunks_exact(self.dim)
    }
}

/// Names the first value that is NaN or infinite by row and column, and says how many there are.
pub(crate) fn check_rows(values: &[f32], dim: usize) -> Result<()> {
    let Some(at) = values.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let all = values[at..]
        .iter()
        .filter(|value| !value.is_finite())
        .count();
    let (row, column, value) = (at / dim, at % dim, values[at]);
    let more = match all - 1 {
        0 => String::new(),
        more => format!(", and {more} more are not finite"),
    };
    Err(Error::Invalid {
        what: "embeddings",
        why: format!("row {row}, column {column} is {value}{more}: every value must be finite"),
    })
}

/// Probes and gallery must have rows of the same length.
pub(crate) fn check_same_dim(probes: &EmbeddingView, gallery: &EmbeddingView) -> Result<()> {
    check_same_length(
        ("a probe embedding", probes.dim()),
        ("a gallery embedding", gallery.dim()),
    )
}
