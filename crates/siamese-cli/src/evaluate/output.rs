//! Figures on the screen: a table, or JSON.

use anyhow::Result;
use serde_json::{Map, Value, json};
use siamese_core::Threshold;
use siamese_core::metrics::Figure;
use siamese_evaluate::{FigureTable, JudgedPairs};

/// The figures of one set of images or pairs.
pub(super) struct Column {
    /// What it is called beside others; empty where it is alone.
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

/// All that a command has to say.
pub(super) struct Results {
    /// The first is the one that the command is about.
    pub(super) columns: Vec<Column>,
    /// A table below it, of other pairs than the first.
    pub(super) below: Option<Column>,
    /// The pairs that the first column is of.
    pub(super) pairs: PairCounts,
    pub(super) threshold: Option<ShownThreshold>,
    /// Lines below the table.
    pub(super) notes: Vec<String>,
}

/// How many distinct pairs were judged.
pub(super) struct PairCounts {
    pub(super) like: usize,
    pub(super) unlike: usize,
}

impl From<&JudgedPairs> for PairCounts {
    fn from(judged: &JudgedPairs) -> Self {
        Self {
            like: judged.curve.like_pairs(),
            unlike: judged.curve.unlike_pairs(),
        }
    }
}

/// A threshold and where it comes from.
pub(super) struct ShownThreshold {
    pub(super) value: f64,
    pub(super) target: String,
    pub(super) fitted_on: String,
}

impl From<&Threshold> for ShownThreshold {
    fn from(threshold: &Threshold) -> Self {
        Self {
            value: threshold.value,
            target: threshold.target.clone(),
            fitted_on: threshold.fitted_on.clone(),
        }
    }
}

impl Results {
    /// Prints everything.
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(&self.to_json())?);
            self.notes.iter().for_each(|note| eprintln!("{note}"));
            return Ok(());
        }
        let columns: Vec<(&str, &[Figure])> = self
            .columns
            .iter()
            .map(|column| (column.name.as_str(), &column.figures[..]))
            .collect();
        println!("{}", FigureTable::new(&columns));
        if let Some(column) = &self.below {
            let column = (column.name.as_str(), &column.figures[..]);
            println!("{}", FigureTable::new(&[column]));
        }
        if let Some(ShownThreshold {
            value,
            target,
            fitted_on,
        }) = &self.threshold
        {
            println!("threshold {value:.4}, {target} on {fitted_on}");
        }
        self.notes.iter().for_each(|note| println!("{note}"));
        Ok(())
    }

    /// The first column's figures at the top, with those of the table below, those of others under the column's name,
    /// as in `result.json`.
    fn to_json(&self) -> Value {
        let mut object = Map::new();
        for (i, column) in self.columns.iter().enumerate() {
            let figures = figures_as_json(&column.figures);
            if i == 0 {
                object.extend(figures);
            } else {
                object.insert(column.name.replace(' ', "_"), figures.into());
            }
        }
        let below = self.below.iter();
        object.extend(below.flat_map(|column| figures_as_json(&column.figures)));
        let PairCounts { like, unlike } = self.pairs;
        object.insert("pairs".into(), json!({ "like": like, "unlike": unlike }));
        if let Some(threshold) = &self.threshold {
            object.insert(
                "threshold".into(),
                json!({
                    "value": threshold.value, "interval": null,
                    "target": threshold.target, "fitted_on": threshold.fitted_on,
                }),
            );
        }
        object.into()
    }
}

/// Each figure under its standard name, with its interval.
pub(super) fn figures_as_json(figures: &[Figure]) -> Map<String, Value> {
    let entry = |figure: &Figure| {
        let value = json!({ "value": figure.value, "interval": figure.interval });
        (figure.name.clone(), value)
    };
    figures.iter().map(entry).collect()
}
