//! A model, and pictures.

use std::path::PathBuf;

use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray4, PyUntypedArrayMethods};
use pyo3::prelude::*;
use siamese_core::candle::Device;

use crate::errors::{raised, wrong};

/// Images that pass the tower at once.
const AT_ONCE: usize = 256;

/// A trained model: pictures in, embeddings and judgements out.
#[pyclass(frozen, module = "siamese")]
pub(crate) struct Embedder {
    pub(crate) inner: siamese_embed::Embedder,
}

#[pymethods]
impl Embedder {
    #[new]
    fn new(py: Python<'_>, model: PathBuf) -> PyResult<Self> {
        let inner = py.detach(|| siamese_embed::Embedder::load(model, &Device::Cpu));
        Ok(Self {
            inner: inner.map_err(raised)?,
        })
    }

    /// Numbers in an embedding.
    #[getter]
    fn dim(&self) -> usize {
        self.inner.model().tower.config().embedding
    }

    /// Height, width and channels of the images that it takes.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        let input = &self.inner.model().tower.config().input;
        (input.height, input.width, input.channels())
    }

    /// The distance below which two pictures show the same, where one was fitted.
    #[getter]
    fn threshold(&self) -> Option<f64> {
        self.inner.model().threshold.as_ref().map(|t| t.value)
    }

    fn embed<'py>(
        &self,
        py: Python<'py>,
        pictures: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows = match pictures.extract::<PyReadonlyArray4<'py, u8>>() {
            Ok(images) => self.embed_array(py, &images)?,
            Err(_) => {
                let paths: Vec<PathBuf> = pictures.extract().map_err(|_| {
                    wrong("embed takes uint8 images (N, H, W, C), or a list of paths")
                })?;
                self.embed_files(py, &paths)?
            }
        };
        let (count, dim) = (rows.len(), self.dim());
        let flat = rows.into_iter().flatten().collect();
        let array = Array2::from_shape_vec((count, dim), flat).map_err(raised)?;
        Ok(array.into_pyarray(py))
    }

    /// Whether two pictures show the same.
    fn verify(&self, py: Python<'_>, one: PathBuf, other: PathBuf) -> PyResult<Verdict> {
        let verdict = py
            .detach(|| self.inner.verify(one, other))
            .map_err(raised)?;
        Ok(Verdict {
            same: verdict.same,
            distance: verdict.distance,
            threshold: verdict.threshold,
            probability: verdict.probability,
        })
    }

    fn __repr__(&self) -> String {
        let (height, width, channels) = self.shape();
        let place = self.inner.place().unwrap_or("a model");
        format!(
            "Embedder({place:?}: {height}×{width}×{channels} → {})",
            self.dim()
        )
    }
}

impl Embedder {
    fn embed_array(
        &self,
        py: Python<'_>,
        images: &PyReadonlyArray4<'_, u8>,
    ) -> PyResult<Vec<Vec<f32>>> {
        let (found, wanted) = (&images.shape()[1..], self.shape());
        if found != [wanted.0, wanted.1, wanted.2] {
            return Err(wrong(format!(
                "this model takes images of shape {wanted:?} (H, W, C), got {found:?}: resize them, or give paths"
            )));
        }
        let bytes = images
            .as_slice()
            .map_err(|_| wrong("the images are not contiguous: numpy.ascontiguousarray(images)"))?;
        let size = AT_ONCE * wanted.0 * wanted.1 * wanted.2;
        py.detach(|| {
            let parts = bytes.chunks(size).map(|part| self.inner.rows(part));
            let parts: Result<Vec<_>, _> = parts.collect();
            Ok(parts.map_err(raised)?.concat())
        })
    }

    fn embed_files(&self, py: Python<'_>, paths: &[PathBuf]) -> PyResult<Vec<Vec<f32>>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let embedded = py.detach(|| -> anyhow::Result<_> {
            Ok(self.inner.files(paths)?.values.to_vec2::<f32>()?)
        });
        embedded.map_err(raised)
    }
}

/// Whether two pictures show the same: true or false in an `if`.
#[pyclass(frozen, get_all, module = "siamese")]
pub(crate) struct Verdict {
    /// Whether the distance is below the threshold.
    same: bool,
    distance: f32,
    threshold: f64,
    /// The probability that they show the same, where the model is calibrated.
    probability: Option<f64>,
}

#[pymethods]
impl Verdict {
    fn __bool__(&self) -> bool {
        self.same
    }

    fn __repr__(&self) -> String {
        let answer = if self.same { "same" } else { "different" };
        format!(
            "Verdict({answer}, distance {:.4}, threshold {:.4})",
            self.distance, self.threshold
        )
    }
}
