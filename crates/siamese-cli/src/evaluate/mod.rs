//! `siamese evaluate`: how good is a model, or an embedding from anywhere?

mod material;
mod onnx;
mod options;
mod output;
mod pairs;
mod set;
mod set_report;
mod table;
mod trials;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use siamese_core::metrics::BootstrapConfig;
use siamese_core::{Distance, Model};
use siamese_embed::{load_model, model_path};

use crate::data::DataArguments;
use crate::device::DeviceChoice;
use options::{FewShotArguments, ThresholdArguments};

const THEIRS: &str = "What another's embedder does not say itself (--onnx, --embeddings)";
const HOW: &str = "How";
const OUTPUT: &str = "Output";

const EXAMPLES: &str = "\
Examples:
  siamese evaluate runs/mine                               the images that its run held out
  siamese evaluate runs/mine --folder photos/ --report photos.html
  siamese evaluate runs/mine --folder lfw/ --lfw pairs.txt
  siamese evaluate runs/mine --few-shot cifar-fs           5-way, 1-shot and 5-shot
  siamese evaluate runs/mine --omniglot-trials
  siamese evaluate runs/mine --threshold-at far=0.001 --save-model strict.safetensors
  siamese evaluate --embeddings theirs.npz --json          from any framework
  siamese evaluate --onnx theirs.onnx --folder photos/     an embedder of anybody's";

/// Arguments of `siamese evaluate`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A run's folder or a model file; or published weights of a ResNet or a DINOv2, a file or a name such as timm/resnet50.tv_in1k
    #[arg(required_unless_present_any = ["embeddings", "onnx", "omniglot_trials"], conflicts_with_all = ["embeddings", "onnx"])]
    model: Option<PathBuf>,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    few_shot: FewShotArguments,
    #[command(flatten)]
    threshold: ThresholdArguments,
    /// Distinct pairs to draw, half of them like; all there are where those are fewer, or by "all"
    #[arg(long, value_name = "N", value_parser = pair_count, default_value = "20000", help_heading = HOW)]
    pairs: usize,
    /// Also judge the mean of each image's embedding and its mirror image's, as figures of their own (`roc_auc_mirrored`):
    /// twice the time
    #[arg(long, help_heading = HOW, conflicts_with_all = ["embeddings", "onnx", "omniglot_trials", "pairs_file", "lfw"])]
    mirrored: bool,
    /// Seed of the pairs, the episodes and the bootstrap
    #[arg(long, default_value_t = 0, help_heading = HOW)]
    seed: u64,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", help_heading = HOW)]
    device: DeviceChoice,
    /// Print every figure as JSON
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Write a report to look at
    #[arg(long, value_name = "FILE.html", help_heading = OUTPUT, conflicts_with = "omniglot_trials")]
    report: Option<PathBuf>,
    /// Write the embeddings, labels, class and file names of the images judged (the unseen classes, where there are two sets)
    #[arg(long, value_name = "FILE.npz", help_heading = OUTPUT, conflicts_with_all = ["embeddings", "omniglot_trials", "pairs_file", "lfw"])]
    export: Option<PathBuf>,
    /// Write the embeddings, classes and pictures for TensorBoard's projector
    #[arg(long, value_name = "DIR", help_heading = OUTPUT, conflicts_with_all = ["embeddings", "onnx", "omniglot_trials", "pairs_file", "lfw"])]
    projector: Option<PathBuf>,
}

/// What is judged; without any of these what the model's run held out: its test images, or the unseen and the seen
/// classes of a run that was divided by classes.
#[derive(Args)]
#[command(next_help_heading = "What to judge on (default: what the run held out)")]
struct What {
    #[command(flatten)]
    data: DataArguments,
    /// A folder of pictures, one subfolder per class
    #[arg(long, value_name = "DIR", conflicts_with_all = ["place", "source"])]
    folder: Option<PathBuf>,
    /// The pairs in FILE, whose paths are relative to --folder: "path, path, same?" on each line
    #[arg(long, value_name = "FILE", requires = "folder", conflicts_with_all = ["lfw", "few_shot", "allow_missing_shards"])]
    pairs_file: Option<PathBuf>,
    /// The pairs files say 1 where two pictures are different: take their verdicts the other way round
    #[arg(long, requires = "pairs_file")]
    swapped: bool,
    /// LFW's protocol: its pairs.txt, with the pictures in --folder; ten folds, the threshold from the other nine
    #[arg(long, value_name = "pairs.txt", requires = "folder", conflicts_with_all = ["few_shot", "threshold_at", "allow_missing_shards"])]
    lfw: Option<PathBuf>,
    /// Lake's 400 one-shot trials on Omniglot, beside raw pixels (alone without a MODEL); all_runs.zip or its folder
    /// [default: the bundled one]
    #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with_all = ["folder", "place", "source", "allow_missing_shards", "embeddings", "few_shot", "threshold_at"])]
    omniglot_trials: Option<Option<PathBuf>>,
    /// Embeddings from anywhere: an .npz with embeddings (N, D) and labels (N), optionally a gallery's
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["folder", "place", "source", "allow_missing_shards"])]
    embeddings: Option<PathBuf>,
    /// An embedder of anybody's, in ONNX: pictures in, a row for each out; on --folder or --data
    #[arg(long, value_name = "FILE.onnx", conflicts_with_all = ["embeddings", "omniglot_trials", "pairs_file", "lfw"])]
    onnx: Option<PathBuf>,
    /// The size of its pictures, HEIGHTxWIDTH, where its graph leaves that open
    #[arg(long, help_heading = THEIRS, requires = "onnx", value_parser = onnx::size)]
    size: Option<(usize, usize)>,
    /// What it takes for pixels: imagenet (as it comes), 0..1, -1..1, 0..255, or means/deviations such as
    /// 0.5,0.5,0.5/0.25,0.25,0.25
    #[arg(long, help_heading = THEIRS, requires = "onnx", value_parser = onnx::Pixels::parse, allow_hyphen_values = true)]
    pixels: Option<onnx::Pixels>,
    /// Distance between its embeddings: euclidean, squared-euclidean, cosine or manhattan
    #[arg(long, help_heading = THEIRS, conflicts_with_all = ["model", "omniglot_trials"])]
    distance: Option<Distance>,
}

/// A number of pairs; `all` is more than any set has.
fn pair_count(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    let count = text.parse().ok().filter(|count| *count >= 2);
    count.ok_or_else(|| "expected a number of pairs from 2 on, or all".into())
}

/// What a page calls a folder or a file: its own name.
fn last_name(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let what = &arguments.what;
    let results = if let Some(file) = &what.embeddings {
        table::judge(arguments, file)?
    } else if let Some(file) = &what.onnx {
        onnx::judge(arguments, file)?
    } else if let Some(place) = &what.omniglot_trials {
        return trials::run(arguments, place.as_deref());
    } else if let Some(folder) = &what.folder
        && (what.pairs_file.is_some() || what.lfw.is_some())
    {
        pairs::judge(arguments, folder)?
    } else {
        set::judge(arguments)?
    };
    results.print(arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// Loads the model that was given.
    fn load_model(&self) -> Result<Model> {
        let place = self.model.as_deref().context("no model was given")?;
        Ok(load_model(place, &self.device.open()?)?)
    }

    fn model_path(&self) -> Result<PathBuf> {
        let path = self.model.as_deref().context("no model was given")?;
        Ok(model_path(path))
    }

    /// What a page calls the model: its run, or its file.
    fn model_name(&self) -> Result<String> {
        let path = self.model_path()?;
        let path = path.canonicalize().unwrap_or(path);
        let of_run = path
            .file_name()
            .is_some_and(|name| name == "best.safetensors");
        let name = match path.parent() {
            Some(run) if of_run => run.file_name(),
            _ => path.file_stem(),
        };
        Ok(name
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned())
    }

    fn bootstrap(&self) -> BootstrapConfig {
        BootstrapConfig {
            seed: self.seed,
            ..Default::default()
        }
    }
}
