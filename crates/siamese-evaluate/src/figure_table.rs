//! Figures as a table of text; those of several sets stand side by side.

use std::fmt;

use siamese_core::metrics::{Figure, Interval};

/// A row per figure, a column per set of images.
///
/// ```
/// use siamese_core::metrics::Figure;
/// use siamese_evaluate::FigureTable;
///
/// let (unseen, seen) = ([Figure::new("eer", 0.25)], [Figure::new("eer", 0.125)]);
/// let table = FigureTable::new(&[("unseen classes", &unseen), ("seen classes", &seen)]);
/// let text = table.to_string();
/// assert!(text.lines().next().unwrap().contains("unseen classes"));
/// assert!(text.contains("eer                           0.2500"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FigureTable {
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: String,
    label: String,
    cells: Vec<Option<Figure>>,
}

impl FigureTable {
    /// A table of all figures, each row under its standard name. A lone column may go without a name.
    pub fn new(columns: &[(&str, &[Figure])]) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for (i, (_, figures)) in columns.iter().enumerate() {
            for figure in *figures {
                let found = rows.iter().position(|row| row.name == figure.name);
                let at = found.unwrap_or_else(|| {
                    rows.push(Row {
                        name: figure.name.clone(),
                        label: figure.name.clone(),
                        cells: vec![None; columns.len()],
                    });
                    rows.len() - 1
                });
                rows[at].cells[i] = Some(figure.clone());
            }
        }
        Self {
            columns: columns.iter().map(|(name, _)| name.to_string()).collect(),
            rows,
        }
    }

    /// Only these rows, in this order, each `(standard name, label)`; names without a figure are passed over.
    #[must_use]
    pub fn only(mut self, wanted: &[(&str, &str)]) -> Self {
        let row = |(name, label): &(&str, &str)| {
            let row = self.rows.iter().find(|row| row.name == *name)?;
            Some(Row {
                label: label.to_string(),
                ..row.clone()
            })
        };
        self.rows = wanted.iter().filter_map(row).collect();
        self
    }
}

impl fmt::Display for FigureTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.rows.iter().map(|row| row.label.chars().count());
        let width = labels.fold(28, usize::max);
        if let [name] = self.columns.as_slice() {
            let name = if name.is_empty() { "figure" } else { name };
            write!(f, "{name:<width$} {:>7}   95 % interval", "value")?;
        } else {
            write!(f, "{:<width$}", "with 95 % interval")?;
            let names: Vec<String> = self.columns.iter().map(|n| format!("{n:<24}")).collect();
            write!(f, "   {}", names.join("   ").trim_end())?;
        }
        for row in &self.rows {
            let cells = row.cells.iter().map(|cell| cell_text(cell.as_ref()));
            let line = format!(
                "{:<width$} {}",
                row.label,
                cells.collect::<Vec<_>>().join(" ")
            );
            write!(f, "\n{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A value and its interval, 26 characters wide.
fn cell_text(figure: Option<&Figure>) -> String {
    let interval = figure.and_then(|figure| figure.interval);
    let value = figure.map_or("–".into(), |figure| format!("{:.4}", figure.value));
    let interval = match interval {
        Some(Interval { low, high }) => format!("{low:.4} – {high:.4}"),
        None if figure.is_some() => "–".into(),
        None => String::new(),
    };
    format!("{value:>7}   {interval:<16}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_widens_its_column() {
        let figures = ["eer", "few_shot_5way_1shot_logistic_mirrored"].map(|n| Figure::new(n, 0.5));
        let text = FigureTable::new(&[("", &figures)]).to_string();
        let at: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.find("0.5000"))
            .collect();
        assert!(at[0].is_some() && at[0] == at[1], "{text}");
    }

    #[test]
    fn missing_figures_leave_a_dash_and_rows_are_chosen_by_name() {
        let interval = Some(Interval {
            low: 0.1,
            high: 0.3,
        });
        let eer = Figure {
            interval,
            ..Figure::new("eer", 0.2)
        };
        let unseen = [eer, Figure::new("f1", 0.5)];
        let seen = [Figure::new("roc_auc", 0.9), Figure::new("f1", 0.75)];
        let table = FigureTable::new(&[("unseen", &unseen), ("seen", &seen)]);
        let lines: Vec<String> = table.to_string().lines().map(str::to_string).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].starts_with("eer "), "{lines:?}");
        assert!(
            lines[1].contains("0.2000   0.1000 – 0.3000        –"),
            "{lines:?}"
        );
        assert!(lines[3].starts_with("roc_auc "), "{lines:?}");
        let chosen = table.only(&[("f1", "F1"), ("absent", "?"), ("eer", "equal error rate")]);
        let text = chosen.to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.lines().nth(2).unwrap().starts_with("equal error rate"),
            "{text}"
        );
    }
}
