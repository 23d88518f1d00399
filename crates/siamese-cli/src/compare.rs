//! `siamese compare`: runs side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use siamese_embed::fingerprint;
use siamese_files::read_regular_text;
use siamese_report::{CompareReport, ComparedRun};
use siamese_train::{RunFolder, RunRecord, Summary};
use siamese_words::counted;

/// Arguments of `siamese compare`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Folders of finished runs
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The page to write
    #[arg(long, value_name = "FILE.html", default_value = "compare.html")]
    report: PathBuf,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runs = arguments
        .runs
        .iter()
        .map(|path| read(&RunFolder::open(path)?))
        .collect::<Result<Vec<_>>>()?;
    print_table(&runs);
    let report = CompareReport {
        runs,
        ..Default::default()
    };
    if !report.judged_alike() {
        println!(
            "\nthese runs were judged on different images or pairs: their figures do not tell which is better"
        );
    }
    report.write(&arguments.report)?;
    println!("\n{}", arguments.report.display());
    Ok(ExitCode::SUCCESS)
}

fn read(folder: &RunFolder) -> Result<ComparedRun> {
    let path = folder.file("result.json");
    let reading = || format!("reading {} (is the run finished?)", path.display());
    let text = read_regular_text(&path).with_context(reading)?;
    let summary: Summary = serde_json::from_str(&text).with_context(reading)?;
    let record = folder.record()?;
    Ok(ComparedRun {
        judged: judged(folder, &record, &summary)?,
        name: folder.name(),
        judged_on: record.data.title,
        data: format!(
            "{}, {}",
            counted(summary.test_images, "test image"),
            counted(summary.test_pairs, "pair")
        ),
        figures: summary.figures,
        epochs: folder.epochs()?,
        best_epoch: Some(summary.best_epoch),
        config: serde_json::to_value(record.config)?,
        ..Default::default()
    })
}

/// What a run's figures are of: the data set, the images by their lines in `split.csv`, and the pairs.
fn judged(folder: &RunFolder, record: &RunRecord, summary: &Summary) -> Result<serde_json::Value> {
    let path = folder.file("split.csv");
    let images = match path.exists() {
        true => {
            let text =
                read_regular_text(&path).with_context(|| format!("reading {}", path.display()))?;
            let tested = text.lines().filter(|line| line.ends_with(",test"));
            let lines: Vec<&str> = tested.collect();
            format!("{:016x}", fingerprint(lines.join("\n").as_bytes()))
        }
        false => "not recorded".into(),
    };
    Ok(serde_json::json!({
        "data": record.data.title,
        "images": summary.test_images,
        "images' checksum": images,
        "pairs": summary.test_pairs,
    }))
}

/// A row per figure, a column per run.
fn print_table(runs: &[ComparedRun]) {
    let width = |run: &ComparedRun| run.name.chars().count().max(8);
    let names = runs.iter().flat_map(|run| &run.figures);
    let first = names.fold(28, |widest, figure| widest.max(figure.name.chars().count()));
    print!("{:<first$}", "figure");
    runs.iter()
        .for_each(|run| print!("  {:>1$}", run.name, width(run)));
    println!();
    let mut rows: BTreeMap<&str, Vec<Option<f64>>> = BTreeMap::new();
    for (column, run) in runs.iter().enumerate() {
        for figure in &run.figures {
            rows.entry(&figure.name)
                .or_insert_with(|| vec![None; runs.len()])[column] = Some(figure.value);
        }
    }
    for (name, values) in rows {
        print!("{name:<first$}");
        for (run, value) in runs.iter().zip(values) {
            match value {
                Some(value) => print!("  {value:>width$.4}", width = width(run)),
                None => print!("  {:>width$}", "–", width = width(run)),
            }
        }
        println!();
    }
}
