//! The embeddings of a gallery side by side in memory, as search wants them.

use std::collections::{HashMap, HashSet};

use siamese_core::Metric;
use siamese_core::metrics::retrieval::{Index, Neighbour};

use crate::error::Result;
use crate::store::{Changes, Revision};

/// A copy of what is searched, as far as `revision` goes.
#[derive(Default)]
pub(crate) struct Packed {
    pub(crate) revision: Option<Revision>,
    pub(crate) dim: usize,
    metric: Metric,
    /// The embeddings, by ascending number of their entries; `None` where there is none.
    index: Option<Index>,
    ids: Vec<i64>,
    names: Vec<String>,
    labels: Vec<u32>,
    classes: Vec<String>,
    class_numbers: HashMap<String, u32>,
}

impl Packed {
    /// Nothing yet, of embeddings of `dim` numbers.
    pub(crate) fn new(dim: usize, metric: Metric) -> Self {
        Self {
            dim,
            metric,
            ..Self::default()
        }
    }

    /// Brings it up to date. Rows stay in the order of their numbers, whatever the order in which changes were seen.
    pub(crate) fn apply(&mut self, changes: Changes) -> Result<()> {
        if changes.anew {
            *self = Self::new(self.dim, self.metric.clone());
        }
        self.revision = None; // until all of it is here
        let last = self.ids.last().copied().unwrap_or(i64::MIN);
        let behind = changes.came.iter().all(|(id, ..)| *id > last);
        match behind && changes.went.is_empty() {
            true => self.append(changes.came)?,
            false => self.edit(changes.came, &changes.went)?,
        }
        self.revision = Some(changes.revision);
        Ok(())
    }

    /// Entries whose numbers are behind all others'.
    fn append(&mut self, came: Vec<Came>) -> Result<()> {
        let mut values = Vec::with_capacity(came.len() * self.dim);
        for (id, class, name, embedding) in came {
            values.extend(embedding);
            let label = self.label(class);
            self.ids.push(id);
            self.names.push(name);
            self.labels.push(label);
        }
        match &mut self.index {
            Some(index) => index.push(&values)?,
            None if values.is_empty() => {}
            none => *none = Some(Index::new(values, self.dim, &self.metric)?),
        }
        Ok(())
    }

    /// Entries that changed, went, or came late.
    fn edit(&mut self, came: Vec<Came>, went: &[i64]) -> Result<()> {
        let mut values = self.index.take().map_or(Vec::new(), Index::into_values);
        if !went.is_empty() {
            self.forget(&went.iter().copied().collect(), &mut values);
        }
        for (id, class, name, embedding) in came {
            let label = self.label(class);
            match self.ids.binary_search(&id) {
                Ok(row) => {
                    values[row * self.dim..][..self.dim].copy_from_slice(&embedding);
                    (self.labels[row], self.names[row]) = (label, name);
                }
                Err(row) => {
                    let at = row * self.dim;
                    values.splice(at..at, embedding);
                    self.ids.insert(row, id);
                    self.names.insert(row, name);
                    self.labels.insert(row, label);
                }
            }
        }
        if !values.is_empty() {
            self.index = Some(Index::new(values, self.dim, &self.metric)?);
        }
        Ok(())
    }

    fn forget(&mut self, went: &HashSet<i64>, values: &mut Vec<f32>) {
        let mut kept = 0;
        for row in 0..self.ids.len() {
            if went.contains(&self.ids[row]) {
                continue;
            }
            values.copy_within(row * self.dim..(row + 1) * self.dim, kept * self.dim);
            self.ids.swap(kept, row);
            self.names.swap(kept, row);
            self.labels.swap(kept, row);
            kept += 1;
        }
        values.truncate(kept * self.dim);
        self.ids.truncate(kept);
        self.names.truncate(kept);
        self.labels.truncate(kept);
    }

    fn label(&mut self, class: String) -> u32 {
        if let Some(&label) = self.class_numbers.get(&class) {
            return label;
        }
        let label = self.classes.len() as u32;
        self.classes.push(class.clone());
        self.class_numbers.insert(class, label);
        label
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, row: usize) -> i64 {
        self.ids[row]
    }

    pub(crate) fn name(&self, row: usize) -> &str {
        &self.names[row]
    }

    pub(crate) fn label_of(&self, row: usize) -> u32 {
        self.labels[row]
    }

    pub(crate) fn class(&self, label: u32) -> &str {
        &self.classes[label as usize]
    }

    /// How many classes have an entry.
    pub(crate) fn class_count(&self) -> usize {
        let mut seen = vec![false; self.classes.len()];
        self.labels
            .iter()
            .for_each(|label| seen[*label as usize] = true);
        seen.iter().filter(|seen| **seen).count()
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        self.index.as_ref().map_or(&[], |index| index.row(row))
    }

    /// The rows of the `k` nearest of each probe `(P, D)`, nearest first; ties by number.
    pub(crate) fn nearest(&self, probes: &[f32], k: usize) -> Result<Vec<Vec<Neighbour>>> {
        match &self.index {
            Some(index) => Ok(index.search(probes, k)?),
            None => Ok(vec![Vec::new(); probes.len() / self.dim]),
        }
    }

    /// As [`Self::nearest`] among `rows` alone, looked at one by one.
    pub(crate) fn nearest_among(&self, rows: &[usize], probe: &[f32], k: usize) -> Vec<Neighbour> {
        let distances = self.distances(probe, rows.iter().copied());
        let mut all: Vec<Neighbour> = rows
            .iter()
            .zip(distances)
            .map(|(&row, distance)| Neighbour {
                index: row as u32,
                distance,
            })
            .collect();
        all.sort_by(|a, b| {
            a.distance
                .total_cmp(&b.distance)
                .then(a.index.cmp(&b.index))
        });
        all.truncate(k);
        all
    }

    /// How far each of `rows` is from a probe.
    pub(crate) fn distances(&self, probe: &[f32], rows: impl Iterator<Item = usize>) -> Vec<f32> {
        self.metric.of_each(probe, rows.map(|row| self.row(row)))
    }

    /// Multiply-adds of a probe compared with all rows, where there is no way around it.
    pub(crate) fn cost(&self) -> Option<f64> {
        let whole = || self.len() as f64 * self.metric.cost(self.dim) as f64;
        self.metric.is_learned().then(whole)
    }

    /// The row of the entry `id`.
    pub(crate) fn row_of(&self, id: i64) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }
}

/// Number, class, name and embedding of an entry.
type Came = (i64, String, String, Vec<f32>);

#[cfg(test)]
mod tests {
    use siamese_core::metrics::Distance;

    use super::*;

    fn came(id: i64, class: &str, x: f32) -> Came {
        (id, class.into(), format!("n{id}"), vec![x, -x])
    }

    fn shown(packed: &Packed) -> Vec<(i64, &str, f32)> {
        let one = |row| {
            let class = packed.class(packed.label_of(row));
            (packed.id(row), class, packed.row(row)[0])
        };
        (0..packed.len()).map(one).collect()
    }

    #[test]
    fn rows_come_change_and_go_and_stay_in_the_order_of_their_numbers() {
        let mut packed = Packed::new(2, Distance::Euclidean.into());
        let changes = |came, went: &[i64]| Changes {
            came,
            went: went.into(),
            ..Changes::default()
        };
        packed
            .apply(changes(
                vec![came(1, "a", 1.0), came(4, "b", 4.0), came(5, "a", 5.0)],
                &[],
            ))
            .unwrap();
        packed
            .apply(changes(
                vec![came(3, "c", 3.0), came(4, "a", 4.5)],
                &[1, 99],
            ))
            .unwrap();
        assert_eq!(
            shown(&packed),
            [(3, "c", 3.0), (4, "a", 4.5), (5, "a", 5.0)]
        );
        assert_eq!(packed.class_count(), 2);
        let found = packed.nearest(&[4.4, -4.4], 2).unwrap();
        let rows: Vec<u32> = found[0].iter().map(|n| n.index).collect();
        assert_eq!(rows, [1, 2]);
        let same = packed.nearest_among(&[0, 1, 2], &[4.4, -4.4], 2);
        assert_eq!(same, found[0]);
        packed
            .apply(Changes {
                anew: true,
                came: vec![came(9, "z", 0.0)],
                ..Changes::default()
            })
            .unwrap();
        assert_eq!(shown(&packed), [(9, "z", 0.0)]);
    }
}
