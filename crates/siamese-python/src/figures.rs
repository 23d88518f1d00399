//! Figures of embeddings from anywhere.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use siamese_core::Distance;
use siamese_core::metrics::npz::{EmbeddingFile, EmbeddingTable};
use siamese_core::metrics::verification::Target;
use siamese_evaluate::{EvaluateConfig, evaluate_table};

use crate::errors::{raised, wrong};

/// A figure with its 95 % interval by bootstrap over classes.
#[pyclass(frozen, get_all, module = "siamese")]
pub(crate) struct Figure {
    name: String,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

#[pymethods]
impl Figure {
    fn __float__(&self) -> f64 {
        self.value
    }

    fn __repr__(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                format!("{} {:.4} ({low:.4} – {high:.4})", self.name, self.value)
            }
            _ => format!("{} {:.4}", self.name, self.value),
        }
    }
}

/// Figures of embeddings `(N, D)` by their labels `(N)`, which the Python side has numbered from 0.
#[pyfunction]
pub(crate) fn evaluate(
    py: Python<'_>,
    embeddings: PyReadonlyArray2<'_, f32>,
    labels: PyReadonlyArray1<'_, u32>,
    distance: &str,
    pairs: usize,
    seed: u64,
) -> PyResult<Vec<Figure>> {
    let distance: Distance = distance.parse().map_err(wrong)?;
    if embeddings.shape()[0] != labels.len() {
        return Err(wrong(format!(
            "{} embeddings and {} labels",
            embeddings.shape()[0],
            labels.len()
        )));
    }
    let file = EmbeddingFile {
        embeddings: EmbeddingTable {
            values: embeddings.as_slice()?.to_vec(),
            dim: embeddings.shape()[1],
            labels: labels.as_slice()?.to_vec(),
        },
        gallery: None,
        names: Default::default(),
    };
    let config = EvaluateConfig { pairs, seed };
    let judged = py
        .detach(|| evaluate_table(&file, distance, Target::Eer, &config))
        .map_err(raised)?;
    let of = |figure: siamese_core::metrics::Figure| Figure {
        name: figure.name,
        value: figure.value,
        low: figure.interval.map(|interval| interval.low),
        high: figure.interval.map(|interval| interval.high),
    };
    let at_threshold = judged.at_threshold.map(|at| at.figures).unwrap_or_default();
    let all = judged.figures.into_iter().chain(at_threshold);
    Ok(all.map(of).collect())
}
