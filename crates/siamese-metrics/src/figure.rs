//! A figure: one named number, with its interval where it has one.

use serde::{Deserialize, Serialize};

/// A confidence interval, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One number under the field's standard name (`roc_auc`, `eer`, `recall_at_10`, `map_at_r`, …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Standard name, in snake case.
    pub name: String,
    /// The figure on the data as they are.
    pub value: f64,
    /// Its confidence interval, where one could be had.
    pub interval: Option<Interval>,
}

impl Figure {
    /// A figure without an interval.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self {
            name: name.into(),
            value,
            interval: None,
        }
    }

    /// The same with its confidence interval.
    #[must_use]
    pub fn with_interval(self, low: f64, high: f64) -> Self {
        Self {
            interval: Some(Interval { low, high }),
            ..self
        }
    }
}

/// The figure called `name`, if it is among `figures`.
pub fn find<'a>(figures: &'a [Figure], name: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.name == name)
}
