//! Enrolled pictures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use siamese_data::Pictures;
use siamese_gallery::{AddOptions, Filter, Identify};

use crate::embedder::Embedder;
use crate::errors::{raised, wrong};

/// Enrolled pictures, to search and to identify by.
#[pyclass(frozen, module = "siamese")]
pub(crate) struct Gallery(Mutex<siamese_gallery::Gallery>);

#[pymethods]
impl Gallery {
    #[staticmethod]
    fn create(py: Python<'_>, place: &str, embedder: &Embedder) -> PyResult<Self> {
        let made = py.detach(|| siamese_gallery::Gallery::create(place, &embedder.inner));
        Ok(Self(Mutex::new(made.map_err(raised)?)))
    }

    #[staticmethod]
    fn open(py: Python<'_>, place: &str) -> PyResult<Self> {
        let opened = py.detach(|| siamese_gallery::Gallery::open(place));
        Ok(Self(Mutex::new(opened.map_err(raised)?)))
    }

    #[pyo3(signature = (embedder, pictures, class_name=None))]
    fn add(
        &self,
        py: Python<'_>,
        embedder: &Embedder,
        pictures: Vec<PathBuf>,
        class_name: Option<String>,
    ) -> PyResult<(usize, usize)> {
        let options = AddOptions {
            class: class_name,
            ..Default::default()
        };
        let report = py.detach(|| -> anyhow::Result<_> {
            let pictures = Pictures::open(&pictures, &Default::default())?;
            Ok(self
                .lock()
                .add(&embedder.inner, &pictures, &options, |_| {})?)
        });
        let report = report.map_err(raised)?;
        match report.unread.first() {
            Some(first) => Err(wrong(format!("{}: {}", first.what, first.why))),
            None => Ok((report.new, report.known)),
        }
    }

    #[pyo3(signature = (embedding, k=10))]
    fn search(
        &self,
        py: Python<'_>,
        embedding: PyReadonlyArray1<'_, f32>,
        k: usize,
    ) -> PyResult<Vec<Match>> {
        let probe = embedding.as_slice()?;
        let found = py.detach(|| self.lock().search(probe, k, &Filter::default()));
        Ok(found.map_err(raised)?.into_iter().map(Match::of).collect())
    }

    #[pyo3(signature = (embedding, threshold=None, classes=5))]
    fn identify(
        &self,
        py: Python<'_>,
        embedding: PyReadonlyArray1<'_, f32>,
        threshold: Option<f64>,
        classes: usize,
    ) -> PyResult<Identified> {
        let probe = embedding.as_slice()?;
        let how = Identify {
            classes,
            threshold,
            ..Default::default()
        };
        let answer = py
            .detach(|| self.lock().identify(probe, &how))
            .map_err(raised)?;
        Ok(Identified {
            known: answer.known,
            probability: answer.probability,
            matches: answer.matches.into_iter().map(Match::of).collect(),
        })
    }

    fn remove(&self, py: Python<'_>, class_name: String) -> PyResult<usize> {
        let filter = Filter {
            class: Some(class_name),
            ..Default::default()
        };
        py.detach(|| self.lock().remove(&filter)).map_err(raised)
    }

    fn classes(&self, py: Python<'_>) -> PyResult<BTreeMap<String, usize>> {
        py.detach(|| self.lock().classes()).map_err(raised)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.classes(py)?.values().sum())
    }

    fn __repr__(&self) -> String {
        format!("Gallery({:?})", self.lock().place())
    }
}

impl Gallery {
    fn lock(&self) -> MutexGuard<'_, siamese_gallery::Gallery> {
        // what is acknowledged is on the disk, and the copy in memory is read anew
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry of a gallery that is near.
#[pyclass(frozen, get_all, module = "siamese")]
#[derive(Clone)]
pub(crate) struct Match {
    id: i64,
    class_name: String,
    name: String,
    distance: f32,
}

impl Match {
    fn of(found: siamese_gallery::Match) -> Self {
        Self {
            id: found.id,
            class_name: found.class,
            name: found.name,
            distance: found.distance,
        }
    }
}

#[pymethods]
impl Match {
    fn __repr__(&self) -> String {
        format!(
            "Match({:?}, {:?}, distance {:.4})",
            self.class_name, self.name, self.distance
        )
    }
}

/// Who or what it is.
#[pyclass(frozen, get_all, module = "siamese")]
pub(crate) struct Identified {
    /// Whether the nearest class is within the threshold; `None` where there is no threshold.
    known: Option<bool>,
    probability: Option<f64>,
    /// The nearest classes, nearest first.
    matches: Vec<Match>,
}

#[pymethods]
impl Identified {
    /// The class, where it is known.
    #[getter]
    fn class_name(&self) -> Option<&str> {
        let nearest = self.matches.first().filter(|_| self.known != Some(false))?;
        Some(&nearest.class_name)
    }

    fn __repr__(&self) -> String {
        format!("Identified({})", self.class_name().unwrap_or("unknown"))
    }
}
