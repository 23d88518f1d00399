//! Errors as Python raises them.

use std::fmt::Display;

use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};

/// What a crate says, with its causes.
pub(crate) fn raised(error: impl Into<anyhow::Error>) -> PyErr {
    PyRuntimeError::new_err(format!("{:#}", error.into()))
}

/// What is wrong with an argument.
pub(crate) fn wrong(why: impl Display) -> PyErr {
    PyValueError::new_err(why.to_string())
}
