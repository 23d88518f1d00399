//! Verification protocols given as files: lists of pairs, and LFW's ten folds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use siamese_core::metrics::protocols::{CrossValidation, LfwPairs, ListedPair, cross_validate};
use siamese_core::metrics::verification::{
    is_same, verification_figures, verification_figures_by_image,
};
use siamese_core::metrics::{BootstrapConfig, Figure, Interval};
use siamese_core::{Distance, Model};
use siamese_data::{Pair, read_thumbnail};
use siamese_embed::Embedder;
use siamese_report::{ExamplePair, RunReport, SetFigures, Thumbnail};

use crate::pairs::JudgedPairs;
use crate::sections::ends;
use crate::spread::pairs_apart;

/// Longest side, in pixels, at which a report shows a picture.
const SHOWN: usize = 160;

/// Pairs of picture files, judged by a model.
pub struct FilePairs {
    /// The model's distance.
    pub distance: Distance,
    /// Each file once.
    pub files: Vec<PathBuf>,
    /// The pairs, as indices into `files`, in the order given.
    pub judged: JudgedPairs,
    /// Whom (or what) each file shows, numbered: known where a pair is like exactly when its files share a folder.
    pub identities: Option<Vec<u32>>,
}

impl FilePairs {
    /// Embeds the files of all pairs, their paths being relative to `folder`, and measures the distances.
    ///
    /// # Errors
    /// When a file cannot be read (it is named), or all pairs are of one kind.
    pub fn new(model: &Model, folder: &Path, listed: &[ListedPair]) -> Result<Self> {
        let mut numbers: HashMap<&Path, u32> = HashMap::new();
        let mut files = Vec::new();
        let mut number = |path| {
            *numbers.entry(path).or_insert_with(|| {
                files.push(folder.join(path));
                files.len() as u32 - 1
            })
        };
        let pairs: Vec<Pair> = listed
            .iter()
            .map(|ListedPair { a, b, like }| Pair {
                a: number(a),
                b: number(b),
                like: *like,
            })
            .collect();
        let identities = identities(&files, &pairs);
        let embeddings = Embedder::new(model.clone()).files(&files)?;
        Ok(Self {
            distance: model.distance,
            judged: JudgedPairs::new(&embeddings, pairs, model.distance)?,
            files,
            identities,
        })
    }

    /// Every verification figure at a threshold, with intervals by bootstrap over identities, or over images
    /// where those are not known.
    ///
    /// # Errors
    /// When the threshold is NaN.
    pub fn figures(&self, threshold: f32, bootstrap: &BootstrapConfig) -> Result<Vec<Figure>> {
        let distances = &self.judged.distances;
        let nodes = |of: &dyn Fn(u32) -> u32| -> Vec<(u32, u32)> {
            let pairs = self.judged.pairs.iter();
            pairs.map(|pair| (of(pair.a), of(pair.b))).collect()
        };
        Ok(match &self.identities {
            Some(identities) => {
                let people = nodes(&|file| identities[file as usize]);
                verification_figures(distances, &people, threshold, bootstrap)?
            }
            None => {
                let images = nodes(&|file| file);
                let like = self.judged.like();
                verification_figures_by_image(distances, &like, &images, threshold, bootstrap)?
            }
        })
    }

    /// Fills the report's table, histogram, ROC curve and examples.
    ///
    /// # Errors
    /// When a picture cannot be read again.
    pub fn fill(&self, report: &mut RunReport, figures: &[Figure], threshold: f32) -> Result<()> {
        report.figures = vec![SetFigures::new(figures.to_vec())];
        self.judged.fill(report, self.distance, threshold);
        let apart = |i, j| self.apart(i, j);
        let telling = self.judged.telling_and_different(threshold, 0.0, apart);
        let shown = telling.into_iter().map(|i| self.example(i, threshold));
        report.examples = shown.collect::<Result<_>>()?;
        Ok(())
    }

    fn example(&self, pair: usize, threshold: f32) -> Result<ExamplePair> {
        let Pair { a, b, like } = self.judged.pairs[pair];
        let distance = self.judged.distances[pair];
        let picture = |file: u32| -> Result<Thumbnail> {
            let (pixels, (height, width)) = read_thumbnail(&self.files[file as usize], SHOWN)?;
            Ok(Thumbnail::new(width as u32, height as u32, 3, pixels)?)
        };
        let label = |file: u32| match &self.identities {
            Some(_) => folder_name(&self.files[file as usize]),
            None => String::new(),
        };
        Ok(ExamplePair {
            left: picture(a)?,
            right: picture(b)?,
            left_label: label(a),
            right_label: label(b),
            left_file: short_path(&self.files[a as usize]),
            right_file: short_path(&self.files[b as usize]),
            like,
            called_same: is_same(distance, threshold),
            distance: distance.into(),
            probability: None,
        })
    }

    /// How far two pairs are apart by name: their embeddings are not kept.
    fn apart(&self, i: usize, j: usize) -> f32 {
        let [one, other] = [i, j].map(|pair| ends(&self.judged.pairs[pair]));
        pairs_apart(one, other, |a, b| {
            let folder = |file: u32| self.files[file as usize].parent();
            match a == b {
                true => 0.0,
                false if folder(a) == folder(b) => 0.5,
                false => 1.0,
            }
        })
    }

    /// Judges LFW's protocol: each fold at the threshold of best accuracy on the others.
    ///
    /// `protocol` holds the pairs that this was made from, in the same order. `accuracy` is the mean of the folds
    /// and its interval `± 1.96` standard errors; figures that need no threshold are of all pairs together.
    ///
    /// # Errors
    /// When there are fewer than two folds.
    pub fn lfw(&self, protocol: &LfwPairs, bootstrap: &BootstrapConfig) -> Result<LfwResult> {
        let fold: Vec<usize> = protocol.pairs.iter().map(|pair| pair.fold).collect();
        let distances = &self.judged.distances;
        let folds = cross_validate(distances, &self.judged.like(), &fold)?;
        let half = 1.96 * folds.standard_error;
        let interval = Interval {
            low: folds.accuracy - half,
            high: folds.accuracy + half,
        };
        let mut figures = vec![
            Figure {
                interval: Some(interval),
                ..Figure::new("accuracy", folds.accuracy)
            },
            Figure::new("accuracy_standard_error", folds.standard_error),
        ];
        let pooled = self.figures(folds.folds[0].threshold, bootstrap)?;
        figures.extend(
            pooled
                .into_iter()
                .filter(|figure| needs_no_threshold(&figure.name)),
        );
        Ok(LfwResult { figures, folds })
    }
}

/// What LFW's protocol gives.
pub struct LfwResult {
    /// `accuracy`, `accuracy_standard_error`, and the figures that need no threshold.
    pub figures: Vec<Figure>,
    /// The folds, each with its threshold and accuracy.
    pub folds: CrossValidation,
}

fn needs_no_threshold(name: &str) -> bool {
    ["roc_auc", "eer", "average_precision"].contains(&name) || name.starts_with("tar_at_far_")
}

/// The name of the folder that a file lies in.
fn folder_name(file: &Path) -> String {
    let name = file.parent().and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// A file's name after that of its folder.
fn short_path(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match folder_name(file).as_str() {
        "" => name.into_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// The folder of each file, numbered, if being like is nothing but sharing a folder.
fn identities(files: &[PathBuf], pairs: &[Pair]) -> Option<Vec<u32>> {
    let mut numbers = HashMap::new();
    let mut number = |file: &PathBuf| {
        let next = numbers.len() as u32;
        *numbers
            .entry(file.parent().map(Path::to_path_buf))
            .or_insert(next)
    };
    let folders: Vec<u32> = files.iter().map(&mut number).collect();
    let agrees = |pair: &Pair| (folders[pair.a as usize] == folders[pair.b as usize]) == pair.like;
    pairs.iter().all(agrees).then_some(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(pairs: &[(u32, u32, bool)]) -> bool {
        let files = ["x/1", "x/2", "y/1"].map(PathBuf::from);
        let pairs: Vec<Pair> = pairs
            .iter()
            .map(|&(a, b, like)| Pair { a, b, like })
            .collect();
        identities(&files, &pairs).is_some()
    }

    #[test]
    fn folders_are_identities_only_where_every_pair_agrees() {
        assert!(known(&[(0, 1, true), (0, 2, false)]));
        assert!(!known(&[(0, 1, true), (0, 2, true)]));
        assert!(!known(&[(0, 1, false), (0, 2, false)]));
    }
}
