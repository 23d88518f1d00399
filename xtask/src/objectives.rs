//! `cargo xtask objectives`: every objective for the same time on the same data, over several seeds, in a table.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Usage, siamese, suggest};

pub(crate) const HELP: &str = "\
Trains every objective for the same time on each data set, everything else alike, over several
seeds, and prints a Markdown table: means, and 95 % intervals over the seeds (Student's t). What
is done is kept and not done again: a command that was stopped goes on when it is given again.

Usage: cargo xtask objectives --set SET [options]

Options:
  --set SET          what `siamese train` takes: a name, a folder, a file; may be repeated
  --loss NAME        one of the names that the table has; may be repeated (default: all)
  --time TIME        of each run, such as 90s or 10m (default: 10m)
  --seeds N          runs of each, with seeds 0, 1, … (default: 3)
  --out DIR          where the runs are kept (default: runs/objectives)
  --binary PATH      a `siamese` to run; without it one is built in release mode
  -h, --help         this text

A set of ten classes or more has a fifth of its classes unseen in training; the table has the
figures of these, and of held-out images of the others. Everything after `--` is handed to
`siamese train`, so that the table can be made for another tower, size or sampler.

Examples:
  $ cargo xtask objectives --set cifar100 --set omniglot --set ~/birds
  $ cargo xtask objectives --set birds --loss triplet --loss circle --time 5m -- --size 64
";

/// A row of the table: its name, and what `siamese train` is told.
type Recipe = (&'static str, &'static [&'static str]);

/// The sums of one term are for losses that would choose another sampler by themselves.
const RECIPES: [Recipe; 17] = [
    (
        "contrastive",
        &[
            "--set",
            "objective={ kind = 'sum', terms = [{ kind = 'contrastive', pairs = 'in_batch', averaging = 'active' }] }",
        ],
    ),
    ("cosine_embedding", &["--loss", "cosine_embedding"]),
    ("margin", &["--loss", "margin"]),
    ("triplet", &["--loss", "triplet"]),
    (
        "triplet_all",
        &["--loss", "triplet", "--set", "objective.miner=all"],
    ),
    ("lifted", &["--loss", "lifted"]),
    ("multi_similarity", &["--loss", "multi_similarity"]),
    ("circle", &["--loss", "circle"]),
    ("sup_con", &["--loss", "sup_con"]),
    ("nt_xent", &["--loss", "nt_xent"]),
    (
        "n_pairs",
        &["--loss", "n_pairs", "--set", "tower.normalize=false"],
    ),
    ("normalized_softmax", &["--loss", "normalized_softmax"]),
    ("cos_face", &["--loss", "cos_face"]),
    ("arc_face", &["--loss", "arc_face"]),
    ("proxy_anchor", &["--loss", "proxy_anchor"]),
    ("soft_triple", &["--loss", "soft_triple"]),
    (
        "softmax_and_contrastive",
        &[
            "--set",
            "objective={ kind = 'sum', terms = [{ kind = 'normalized_softmax' }, { kind = 'contrastive', pairs = 'in_batch', weight = 4.0 }] }",
        ],
    ),
];
const OPTIONS: [&str; 6] = ["--set", "--loss", "--time", "--seeds", "--out", "--binary"];

/// Where a figure stands in `result.json`, and its heading.
const FIGURES: [(&str, &str, &str); 4] = [
    ("figures", "roc_auc", "AUC unseen"),
    ("figures", "recall_at_1", "recall@1 unseen"),
    ("seen_classes", "roc_auc", "AUC seen"),
    ("seen_classes", "recall_at_1", "recall@1 seen"),
];

struct Options {
    sets: Vec<String>,
    recipes: Vec<Recipe>,
    time: String,
    seeds: usize,
    out: PathBuf,
    binary: Option<PathBuf>,
    more: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let options = parse(args)?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => siamese::build(None)?,
    };
    for set in &options.sets {
        for (name, settings) in &options.recipes {
            for seed in 0..options.seeds {
                let done = train(&binary, &options, set, (name, settings), seed)?;
                eprintln!(
                    "{}",
                    if done {
                        ""
                    } else {
                        "(failed: left out of the table)"
                    }
                );
            }
        }
    }
    for set in &options.sets {
        print_table(&options, set)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options {
        sets: Vec::new(),
        recipes: Vec::new(),
        time: "10m".into(),
        seeds: 3,
        out: PathBuf::from("runs/objectives"),
        binary: None,
        more: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            options.more.extend(args.by_ref().cloned());
            break;
        }
        if !OPTIONS.contains(&arg.as_str()) {
            let near = suggest::nearest(arg, OPTIONS);
            let hint = near.map_or(String::new(), |near| format!(": did you mean {near}?"));
            return Err(Usage(format!("no option {arg:?}{hint}")).into());
        }
        let value = args
            .next()
            .ok_or_else(|| Usage(format!("{arg} wants a value")))?;
        match arg.as_str() {
            "--set" => options.sets.push(value.clone()),
            "--loss" => options.recipes.push(recipe(value)?),
            "--time" => options.time.clone_from(value),
            "--seeds" => {
                let wrong = |_| Usage(format!("--seeds is a number, got {value:?}"));
                options.seeds = value.parse().map_err(wrong)?;
            }
            "--out" => options.out = value.into(),
            _ => options.binary = Some(value.into()),
        }
    }
    if options.sets.is_empty() || options.seeds == 0 {
        let message = "name what to train on: `cargo xtask objectives --set cifar100`, with at least one seed";
        return Err(Usage(message.into()).into());
    }
    if options.recipes.is_empty() {
        options.recipes = RECIPES.to_vec();
    }
    Ok(options)
}

fn recipe(name: &str) -> Result<Recipe> {
    if let Some(recipe) = RECIPES.iter().find(|(known, _)| *known == name) {
        return Ok(*recipe);
    }
    let names = RECIPES.map(|(name, _)| name);
    Err(Usage(format!(
        "no loss {name:?} in the table: choose of {}",
        names.join(", ")
    ))
    .into())
}

/// Where a run is kept.
fn place(options: &Options, set: &str, name: &str, seed: usize) -> PathBuf {
    options.out.join(title(set)).join(format!("{name}-{seed}"))
}

/// A set's name, fit for a folder and a heading.
fn title(set: &str) -> String {
    let last = Path::new(set).file_name().unwrap_or_default();
    last.to_string_lossy().into_owned()
}

/// Trains once, unless that was done before; whether it is done now.
fn train(
    binary: &Path,
    options: &Options,
    set: &str,
    (name, settings): (&str, &[&str]),
    seed: usize,
) -> Result<bool> {
    let run = place(options, set, name, seed);
    if run.join("result.json").exists() {
        return Ok(true);
    }
    if run.exists() {
        // stopped in the middle: at equal time it is begun anew
        std::fs::remove_dir_all(&run).with_context(|| format!("removing {}", run.display()))?;
    }
    eprintln!("{} {name}, seed {seed}", title(set));
    let parent = run.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let mut command = Command::new(binary);
    command
        .args(["train", set, "--preset", "auto", "--time", &options.time])
        .args([
            "--seed",
            &seed.to_string(),
            "--name",
            &format!("{name}-{seed}"),
        ])
        .arg("--runs")
        .arg(parent)
        .args(settings)
        .args(&options.more);
    let status = command
        .status()
        .with_context(|| format!("starting {}", binary.display()))?;
    Ok(status.success() && run.join("result.json").exists())
}

fn print_table(options: &Options, set: &str) -> Result<()> {
    let headings = FIGURES.map(|(_, _, heading)| heading);
    println!(
        "\n{}, {} of training each, {} seeds\n",
        title(set),
        options.time,
        options.seeds
    );
    println!("| objective | {} |", headings.join(" | "));
    println!("|---|{}", "---|".repeat(FIGURES.len()));
    for (name, _) in &options.recipes {
        let runs = (0..options.seeds).map(|seed| place(options, set, name, seed));
        let results = runs.filter_map(|run| result(&run).transpose());
        let results = results.collect::<Result<Vec<Value>>>()?;
        let cells = FIGURES.map(|(part, figure, _)| {
            let values = results
                .iter()
                .filter_map(|r| r[part][figure]["value"].as_f64());
            cell(&values.collect::<Vec<_>>())
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn result(run: &Path) -> Result<Option<Value>> {
    let path = run.join("result.json");
    if !path.exists() {
        return Ok(None);
    }
    let reading = || format!("reading {}", path.display());
    let text = std::fs::read_to_string(&path).with_context(reading)?;
    Ok(Some(serde_json::from_str(&text).with_context(reading)?))
}

/// Mean and half the 95 % interval over the seeds; a dash where there is no run.
fn cell(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values {
        [] => "–".into(),
        [only] => format!("{only:.3}"),
        _ => {
            let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            let half = student(values.len()) * (squares / (n - 1.0) / n).sqrt();
            format!("{mean:.3} ± {half:.3}")
        }
    }
}

/// The 97.5th percentile of Student's t for so many values.
fn student(values: usize) -> f64 {
    const T: [f64; 9] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
    ];
    T.get(values.saturating_sub(2)).copied().unwrap_or(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_cell_is_the_mean_with_its_interval_over_the_seeds() {
        assert_eq!(cell(&[]), "–");
        assert_eq!(cell(&[0.51234]), "0.512");
        // a deviation of 0.1 over three: 4.303 · 0.1 / √3
        assert_eq!(cell(&[0.7, 0.8, 0.9]), "0.800 ± 0.248");
    }

    #[test]
    fn what_is_asked_for_is_taken_or_refused_by_name() {
        let options = parse(&words("--set birds --loss circle --seeds 2 -- --size 64")).unwrap();
        assert_eq!(options.recipes[0].0, "circle");
        assert_eq!((options.seeds, options.more), (2, words("--size 64")));
        for (line, word) in [
            ("--loss circle", "name what to train on"),
            ("--set birds --loss circles", "circles"),
            ("--set birds --seed 2", "--seeds"),
            ("--set birds --seeds two", "two"),
        ] {
            let error = parse(&words(line))
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn runs_that_are_there_are_read() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("objectives-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        assert!(result(&folder)?.is_none());
        std::fs::write(
            folder.join("result.json"),
            r#"{"figures": {"roc_auc": {"value": 0.5}}}"#,
        )?;
        let read = result(&folder)?.context("no result")?;
        std::fs::remove_dir_all(&folder)?;
        assert_eq!(read["figures"]["roc_auc"]["value"], 0.5);
        Ok(())
    }
}
