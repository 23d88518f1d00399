//! Verification protocols given as files: lists of pairs, and LFW's ten folds.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;
use siamese_core::metrics::protocols::{CrossValidation, LfwPairs, cross_validate};
use siamese_core::metrics::verification::{
    VerificationConfig, is_same, verification_figures, verification_figures_by_image,
};
use siamese_core::metrics::{BootstrapConfig, Figure, Interval};
use siamese_core::{Distance, Model};
use siamese_data::{Pair, PathPair, file_at, read_thumbnail};
use siamese_embed::{Embedder, Error, fingerprint};
use siamese_report::{ExamplePair, RunReport, SetFigures, Thumbnail};

use crate::baseline::{as_baseline, pixel_distance};
use crate::notes::{pixels_note, rate_notes, swapped_note, verdict};
use crate::pairs::JudgedPairs;
use crate::sections::ends;
use crate::spread::pairs_apart;
use crate::twins::{Settled, shared};

/// Bytes of pictures that are kept to compare their pixels; beyond, none are.
const KEPT: usize = 2 << 30;

/// Longest side, in pixels, at which a report shows a picture.
const SHOWN: usize = 160;

/// Pairs of picture files, judged by a model.
pub struct FilePairs {
    /// The model's distance.
    pub distance: Distance,
    /// Each file once.
    pub files: Vec<PathBuf>,
    /// The pairs, as indices into `files`, in the order given; each counts once, whatever its files are called.
    pub judged: JudgedPairs,
    /// Whom (or what) each file shows, numbered: known where a pair is like exactly when its files share a folder.
    pub identities: Option<Vec<u32>>,
    /// A print of each file's picture.
    prints: Vec<u64>,
    settled: Settled,
    /// The distance of the pixels of each pair; none where the pictures are too many to keep.
    pixels: Option<JudgedPairs>,
}

impl FilePairs {
    /// Embeds the files of all pairs, their paths being relative to `folder`, and measures the distances.
    ///
    /// # Errors
    /// When a file cannot be read (it is named), pairs contradict each other, or all are of one kind.
    pub fn new(model: &Model, folder: &Path, listed: &[PathPair]) -> Result<Self> {
        let mut numbers: HashMap<&Path, u32> = HashMap::new();
        let mut files = Vec::new();
        // a file that is not there is told when it is read
        let place = |path: &Path| {
            let written = path.to_str().and_then(|name| file_at(folder, name));
            written.unwrap_or_else(|| folder.join(path))
        };
        let mut number = |path| {
            *numbers.entry(path).or_insert_with(|| {
                files.push(place(path));
                files.len() as u32 - 1
            })
        };
        let pairs: Vec<Pair> = listed
            .iter()
            .map(|PathPair { a, b, like, .. }| Pair {
                a: number(a),
                b: number(b),
                like: *like,
            })
            .collect();
        let image_len = model.tower.config().input.image_len();
        let keeps = files.len().saturating_mul(image_len) <= KEPT;
        let (mut prints, mut pictures) = (Vec::new(), Vec::new());
        let seen = |picture: Vec<u8>| {
            prints.push(fingerprint(&picture));
            if keeps {
                pictures.push(picture);
            }
        };
        let embeddings = Embedder::new(model.clone()).files_seen(&files, seen);
        let embeddings = embeddings.map_err(|error| {
            let line = line_of(&error, &files, &pairs, listed);
            let error = anyhow::Error::new(error);
            match line {
                Some(line) => error.context(format!("line {line}")),
                None => error,
            }
        })?;
        let settled = Settled::new(&pairs, &prints, &files)?;
        let pairs: Vec<Pair> = settled.kept.iter().map(|&at| pairs[at]).collect();
        let identities = identities(&files, &pairs);
        let picture = |file: u32| &pictures[file as usize];
        let apart = |pair: &Pair| pixel_distance(picture(pair.a), picture(pair.b));
        let pixels = keeps.then(|| {
            let distances = pairs.par_iter().map(apart).collect();
            Ok::<_, anyhow::Error>(JudgedPairs::of(pairs.clone(), distances)?.each_weighing_one())
        });
        Ok(Self {
            pixels: pixels.transpose()?,
            distance: model.distance,
            prints,
            settled,
            judged: JudgedPairs::new(&embeddings, pairs, model.distance)?.each_weighing_one(),
            files,
            identities,
        })
    }

    /// Every verification figure, with intervals by bootstrap over identities, or over images where those are not
    /// known; without a threshold those that need none.
    ///
    /// # Errors
    /// When the threshold is NaN.
    pub fn figures(
        &self,
        threshold: Option<f32>,
        bootstrap: &BootstrapConfig,
    ) -> Result<Vec<Figure>> {
        let mut figures = self.figures_of(&self.judged, threshold, bootstrap)?;
        if let Some(pixels) = &self.pixels {
            figures.extend(as_baseline(&self.figures_of(pixels, None, bootstrap)?));
        }
        Ok(figures)
    }

    /// The figures of pairs by some distance.
    fn figures_of(
        &self,
        judged: &JudgedPairs,
        threshold: Option<f32>,
        bootstrap: &BootstrapConfig,
    ) -> Result<Vec<Figure>> {
        let distances = &judged.distances;
        let nodes = |of: &dyn Fn(u32) -> u32| -> Vec<(u32, u32)> {
            let pairs = judged.pairs.iter();
            pairs.map(|pair| (of(pair.a), of(pair.b))).collect()
        };
        let config = VerificationConfig {
            threshold,
            mix: judged.mix,
            bootstrap: *bootstrap,
        };
        Ok(match &self.identities {
            Some(identities) => {
                let people = nodes(&|file| identities[file as usize]);
                verification_figures(distances, &people, &config)?
            }
            None => {
                let (images, like) = (nodes(&|file| file), judged.like());
                verification_figures_by_image(distances, &like, &images, &config)?
            }
        })
    }

    /// How many pictures are judged, those with the same content being one.
    pub fn images(&self) -> usize {
        let files = self.judged.pairs.iter().flat_map(|pair| [pair.a, pair.b]);
        let prints: HashSet<u64> = files.map(|file| self.prints[file as usize]).collect();
        prints.len()
    }

    /// What to know of these figures: what was left out, and why; whether like and unlike seem swapped, with `remedy`.
    pub fn notes(&self, figures: &[Figure], remedy: &str) -> Vec<String> {
        let mut notes = self.settled.notes();
        notes.extend(rate_notes(figures, &self.judged));
        notes.extend(pixels_note(figures));
        if self.pixels.is_none() {
            notes.push(format!(
                "{} pictures are too many to compare their raw pixels, too",
                self.files.len()
            ));
        }
        notes.extend(swapped_note(figures, remedy));
        notes
    }

    /// How many of these pairs `others` hold too, by content, and the files of the first.
    pub fn shared_with(&self, others: &Self) -> Option<(usize, [&Path; 2])> {
        shared(
            (&self.judged.pairs, &self.prints, &self.files),
            (&others.judged.pairs, &others.prints),
        )
    }

    /// Fills the report's table, histogram, ROC curve and examples.
    ///
    /// # Errors
    /// When a picture cannot be read again.
    pub fn fill(&self, report: &mut RunReport, figures: &[Figure], threshold: f32) -> Result<()> {
        report.figures = vec![SetFigures::new(figures.to_vec())];
        report.verdict = verdict(figures);
        self.judged.fill(report, self.distance, Some(threshold));
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
        let kept = self.settled.kept.iter();
        let fold: Vec<usize> = kept.map(|&at| protocol.pairs[at].fold).collect();
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
        figures.extend(self.figures(None, bootstrap)?);
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

/// The line of the first pair with the file that an error is about.
fn line_of(error: &Error, files: &[PathBuf], pairs: &[Pair], listed: &[PathPair]) -> Option<u64> {
    let Error::Picture(error) = error else {
        return None;
    };
    let file = files.iter().position(|file| error.path() == Some(file))? as u32;
    let pair = pairs
        .iter()
        .position(|pair| pair.a == file || pair.b == file)?;
    Some(listed[pair].line)
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
