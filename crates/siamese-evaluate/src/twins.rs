//! The same thing twice, found by content: embeddings number for number, pictures pixel for pixel.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rayon::prelude::*;
use siamese_core::metrics::npz::EmbeddingTable;
use siamese_data::{ImageSet, Pair};
use siamese_embed::fingerprint;
use siamese_words::{are, counted};

/// A print of each embedding.
pub(crate) fn row_prints(table: &EmbeddingTable) -> Vec<u64> {
    let rows = table.values.par_chunks_exact(table.dim.max(1));
    let print = |row: &[f32]| {
        // −0 is 0
        let bytes = row.iter().flat_map(|x| (x + 0.0).to_le_bytes());
        fingerprint(&bytes.collect::<Vec<u8>>())
    };
    rows.map(print).collect()
}

/// A print of each image.
pub(crate) fn image_prints(images: &ImageSet) -> Result<Vec<u64>> {
    let print = |i: usize| Ok(fingerprint(&images.image(i)?));
    (0..images.len()).into_par_iter().map(print).collect()
}

/// Says how many of a set are the same as an earlier one, and how many of them are under another label.
pub(crate) fn twins_note(prints: &[u64], labels: &[u32], what: &str) -> Option<String> {
    let mut first: HashMap<u64, u32> = HashMap::new();
    let (mut twins, mut elsewhere) = (0, 0);
    for (print, label) in prints.iter().zip(labels) {
        match first.get(print) {
            Some(other) => {
                twins += 1;
                elsewhere += usize::from(other != label);
            }
            None => _ = first.insert(*print, *label),
        }
    }
    let of = prints.len();
    (twins > 0).then(|| {
        format!(
            "{twins} of the {of} {what} {} the same as an earlier one ({elsewhere} of them under another label): they \
             find each other at distance 0",
            are(twins)
        )
    })
}

/// Says how many probes are in the gallery themselves.
pub(crate) fn gallery_note(probes: &[u64], gallery: &[u64]) -> Option<String> {
    let shown: HashSet<&u64> = gallery.iter().collect();
    let found = probes.iter().filter(|probe| shown.contains(probe)).count();
    (found > 0).then(|| {
        format!(
            "{found} of the {} {} in the gallery too, number for number, found there at distance 0: retrieval, kNN and \
             nearest centroid say nothing of such",
            counted(probes.len(), "probe"),
            are(found)
        )
    })
}

/// Pairs of files of which none is given twice.
pub(crate) struct Settled {
    /// Places of the pairs that count, in the list given.
    pub(crate) kept: Vec<usize>,
    /// Pairs of a picture with itself.
    selves: usize,
    /// Pairs given before, or mirrored.
    repeats: usize,
}

impl Settled {
    /// Finds what `pairs` repeat by the prints of their pictures.
    ///
    /// # Errors
    /// When the list contradicts itself: a picture unlike itself, or a pair both like and unlike.
    pub(crate) fn new(pairs: &[Pair], prints: &[u64], files: &[PathBuf]) -> Result<Self> {
        let mut seen: HashMap<(u64, u64), bool> = HashMap::new();
        let mut settled = Self {
            kept: Vec::new(),
            selves: 0,
            repeats: 0,
        };
        let mut contradictions: Vec<&Pair> = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            let prints = ordered(prints, pair);
            match seen.get(&prints) {
                _ if prints.0 == prints.1 && !pair.like => contradictions.push(pair),
                Some(like) if *like != pair.like => contradictions.push(pair),
                _ if prints.0 == prints.1 => settled.selves += 1,
                Some(_) => settled.repeats += 1,
                None => settled.kept.push(at),
            }
            seen.entry(prints).or_insert(pair.like);
        }
        if let Some(first) = contradictions.first() {
            let [a, b] = [first.a, first.b].map(|file| files[file as usize].display());
            let contradict = if contradictions.len() == 1 {
                "contradicts"
            } else {
                "contradict"
            };
            bail!(
                "{} of the {} {} the others, the first of {a} and {b}: the same picture, or the same pair, \
                 is given as like and as unlike; correct or remove them",
                contradictions.len(),
                counted(pairs.len(), "pair"),
                contradict
            );
        }
        Ok(settled)
    }

    /// What was left out.
    pub(crate) fn notes(&self) -> Vec<String> {
        let said = [
            (self.selves, "of a picture with itself", "left out"),
            (self.repeats, "given before or mirrored", "counted once"),
        ];
        let said = said.iter().filter(|(count, ..)| *count > 0);
        said.map(|&(count, what, done)| {
            format!("{} {what} {} {done}", counted(count, "pair"), are(count))
        })
        .collect()
    }
}

/// Pairs of one list that are in another too: how many, and the first.
pub(crate) fn shared<'a>(
    (pairs, prints, files): (&[Pair], &[u64], &'a [PathBuf]),
    (others, other_prints): (&[Pair], &[u64]),
) -> Option<(usize, [&'a Path; 2])> {
    let known: HashSet<(u64, u64)> = others.iter().map(|p| ordered(other_prints, p)).collect();
    let found = pairs
        .iter()
        .filter(|pair| known.contains(&ordered(prints, pair)));
    let found: Vec<&Pair> = found.collect();
    let first = found.first()?;
    let first = [first.a, first.b].map(|file| files[file as usize].as_path());
    Some((found.len(), first))
}

fn ordered(prints: &[u64], pair: &Pair) -> (u64, u64) {
    let (a, b) = (prints[pair.a as usize], prints[pair.b as usize]);
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &[(u32, u32, bool)]) -> Vec<Pair> {
        let pair = |&(a, b, like): &(u32, u32, bool)| Pair { a, b, like };
        given.iter().map(pair).collect()
    }

    /// Four files, of which the first and the last hold the same picture.
    fn settle(given: &[(u32, u32, bool)]) -> Result<Settled> {
        let files = ["a", "b", "c", "copy of a"].map(PathBuf::from);
        Settled::new(&pairs(given), &[10, 20, 30, 10], &files)
    }

    #[test]
    fn copies_and_mirrored_pairs_count_once() -> Result<()> {
        let settled = settle(&[
            (0, 1, true),
            (1, 3, true),
            (0, 3, true),
            (2, 1, false),
            (1, 2, false),
        ])?;
        assert_eq!(settled.kept, [0, 3]);
        assert_eq!(
            settled.notes(),
            [
                "1 pair of a picture with itself is left out",
                "2 pairs given before or mirrored are counted once"
            ]
        );
        Ok(())
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        for given in [
            &[(0, 1, true), (3, 1, false)][..],
            &[(0, 1, true), (0, 3, false)],
            &[(1, 1, false)],
        ] {
            let refused = settle(given).map(|_| ()).unwrap_err().to_string();
            assert!(refused.contains("as like and as unlike"), "{refused}");
        }
    }

    #[test]
    fn equal_rows_are_found_whatever_their_zeros() {
        let table = EmbeddingTable {
            values: vec![0.0, 1.0, -0.0, 1.0, 2.0, 1.0],
            dim: 2,
            labels: vec![0, 1, 1],
        };
        let prints = row_prints(&table);
        let note = twins_note(&prints, &table.labels, "embeddings").unwrap_or_default();
        assert!(
            note.starts_with("1 of the 3 embeddings is the same"),
            "{note}"
        );
        assert!(note.contains("(1 of them under another label)"), "{note}");
        assert_eq!(gallery_note(&prints[..1], &prints[2..]), None);
        assert!(
            gallery_note(&prints[..2], &prints).is_some_and(|note| note.starts_with("2 of the 2"))
        );
    }
}
