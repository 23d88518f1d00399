//! The options on few-shot episodes and on the threshold.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use siamese_core::metrics::fewshot::{ClassSplit, cifar_fs, fc100};
use siamese_core::metrics::verification::Target;
use siamese_evaluate::EpisodeConfig;
use siamese_files::limits::EPISODES;

/// N-way K-shot episodes.
#[derive(Args)]
#[command(next_help_heading = "Few-shot episodes")]
pub(super) struct FewShotArguments {
    /// Also play episodes: of all classes judged, or judge on the test classes of CIFAR-FS or FC100
    #[arg(long, value_enum, value_name = "CLASSES")]
    few_shot: Option<ClassList>,
    /// N, the classes of an episode
    #[arg(long, default_value_t = 5, requires = "few_shot")]
    way: usize,
    /// K, the support images of a class; several by commas
    #[arg(
        long,
        value_name = "K,…",
        value_delimiter = ',',
        default_value = "1,5",
        requires = "few_shot"
    )]
    shot: Vec<usize>,
    /// Queries of each class
    #[arg(long, default_value_t = 15, requires = "few_shot")]
    queries: usize,
    /// Episodes for each K
    #[arg(long, default_value_t = 1000, requires = "few_shot", value_parser = episode_count)]
    episodes: usize,
}

/// A number of episodes, within the limit.
fn episode_count(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|_| "expected a number of episodes")?;
    EPISODES.check_len(count)?;
    Ok(count)
}

/// The classes that episodes are drawn from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClassList {
    /// All classes judged
    All,
    /// The 20 test classes of CIFAR-FS (Bertinetto et al. 2019)
    CifarFs,
    /// The 20 test classes of FC100 (Oreshkin et al. 2018)
    Fc100,
}

impl ClassList {
    /// The benchmark's name and classes.
    pub(super) fn benchmark(self) -> Option<(&'static str, &'static ClassSplit)> {
        match self {
            Self::All => None,
            Self::CifarFs => Some(("CIFAR-FS", cifar_fs())),
            Self::Fc100 => Some(("FC100", fc100())),
        }
    }
}

impl FewShotArguments {
    /// Which classes to play with, if at all.
    pub(super) fn classes(&self) -> Option<ClassList> {
        self.few_shot
    }

    /// The episodes, if any were asked for.
    pub(super) fn episodes(&self, seed: u64) -> Option<EpisodeConfig> {
        self.few_shot.map(|_| EpisodeConfig {
            ways: self.way,
            shots: self.shot.clone(),
            queries: self.queries,
            episodes: self.episodes,
            seed,
        })
    }
}

/// What the threshold is fitted to, and where it goes.
#[derive(Args)]
#[command(next_help_heading = "Threshold (default: the model's own)")]
pub(super) struct ThresholdArguments {
    /// Fit a new one, never on the images reported: to "accuracy", "eer" or "far=0.001"; "distance=0.5" is one of your
    /// own, of which only the probability is fitted. It is fitted on the run's
    /// validation images, of a folder or a bare model on every second class, of an .npz on half of each label
    #[arg(long, value_name = "TARGET")]
    pub(super) threshold_at: Option<ThresholdTarget>,
    /// With --pairs-file: the pairs to fit it on, in a file of their own
    #[arg(long, value_name = "FILE", requires = "pairs_file")]
    pub(super) fit_pairs: Option<PathBuf>,
    /// Write the model with its new threshold, for `siamese verify`
    #[arg(
        long,
        value_name = "FILE.safetensors",
        requires = "threshold_at",
        conflicts_with_all = ["embeddings", "onnx"]
    )]
    pub(super) save_model: Option<PathBuf>,
}

/// A target as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ThresholdTarget(pub(super) Target);

impl FromStr for ThresholdTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target = match text {
            "accuracy" => Some(Target::BestAccuracy),
            "eer" => Some(Target::Eer),
            _ => match text.split_once('=') {
                Some(("far", rate)) => {
                    let rate = rate.parse().ok();
                    rate.filter(|far| *far > 0.0 && *far <= 1.0)
                        .map(Target::Far)
                }
                Some(("distance", at)) => {
                    let at = at.parse().ok();
                    at.filter(|at: &f32| at.is_finite()).map(Target::Distance)
                }
                _ => None,
            },
        };
        target.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no target; use accuracy, eer, far=RATE such as far=0.001, or distance=D for a threshold of your own"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_parsed_and_others_refused_with_advice() {
        let parse = |text: &str| text.parse::<ThresholdTarget>().map(|target| target.0);
        assert_eq!(parse("accuracy"), Ok(Target::BestAccuracy));
        assert_eq!(parse("eer"), Ok(Target::Eer));
        assert_eq!(parse("far=1e-3"), Ok(Target::Far(0.001)));
        assert_eq!(parse("distance=0.5"), Ok(Target::Distance(0.5)));
        for wrong in [
            "distance=",
            "distance=inf",
            "far",
            "far=",
            "far=0",
            "far=2",
            "far=NaN",
            "0.5",
            "",
        ] {
            assert!(parse(wrong).unwrap_err().contains("far=0.001"), "{wrong}");
        }
    }
}
