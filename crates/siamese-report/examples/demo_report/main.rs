//! Writes every kind of report from made-up data, to see what they look like:
//! `cargo run -p siamese-report --example demo_report -- FOLDER`.

mod data;
mod synthetic;

use std::path::PathBuf;

use siamese_metrics::Figure;
use siamese_report::{
    Banner, CompareReport, ComparedRun, EventWriter, Level, ModelCard, Projector, RunReport,
    SetFigures,
};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| "demo-report".into(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let run = synthetic::run("demo (synthetic data)", 1, 0.75)?;
    run.write(folder.join("report.html"))?;
    for (classes, images) in [(3, 400), (50, 40), (5000, 2)] {
        let file = folder.join(format!("classes-{classes}.html"));
        synthetic::of_classes(&run, classes, images).write(file)?;
    }
    data::report(&run).write(folder.join("data.html"))?;
    early(&run).write(folder.join("early.html"))?;
    collapsed()?.write(folder.join("collapsed.html"))?;
    compare(&run)?.write(folder.join("compare.html"))?;
    card(&run).write(folder.join("README.md"))?;
    events(&run, &folder)?;
    projector(&run, &folder)?;
    println!("written to {}", folder.display());
    Ok(())
}

/// What stands after two epochs.
fn early(run: &RunReport) -> RunReport {
    RunReport {
        name: run.name.clone(),
        data: run.data.clone(),
        banners: vec![Banner::interrupted(2, "siamese train --resume runs/demo")],
        epochs: run.epochs[..2].to_vec(),
        config: run.config.clone(),
        ..Default::default()
    }
}

/// A run that learned nothing, on the bundled sample.
fn collapsed() -> anyhow::Result<RunReport> {
    let mut run = synthetic::run("collapsed (synthetic data)", 2, 0.0)?;
    run.banners = vec![
        Banner::bundled_sample(),
        Banner::collapse(
            1,
            "The embedding's spread fell to 0.0004 and 100% of unlike pairs are inside the margin.",
        ),
    ];
    let halves = ["seen classes", "unseen classes"];
    run.figures = halves
        .iter()
        .map(|set| {
            let figures = vec![
                Figure::new("roc_auc", 0.5031).with_interval(0.4891, 0.5172),
                Figure::new("eer", 0.4984).with_interval(0.485, 0.511),
                Figure::new("recall_at_1", 0.0112),
            ];
            SetFigures::on(set, figures)
        })
        .collect();
    Ok(run)
}

fn compare(run: &RunReport) -> anyhow::Result<CompareReport> {
    let others = [
        ("longer-schedule-with-a-name-that-goes-on", 3, 0.95),
        ("margin 0.5", 4, 0.7),
    ];
    let mut runs = vec![ComparedRun::from(run)];
    for (at, (name, seed, skill)) in others.into_iter().enumerate() {
        let mut other = synthetic::run(name, seed, skill)?;
        other.config["loss"]["margin"] = serde_json::json!(0.5 * at as f64 + 0.5);
        runs.push(ComparedRun::from(&other));
    }
    let banner = Banner {
        level: Level::Note,
        title: "Synthetic data".into(),
        text: "All numbers on this page are made up.".into(),
    };
    Ok(CompareReport {
        runs,
        banners: vec![banner],
        ..Default::default()
    })
}

fn card(run: &RunReport) -> ModelCard {
    ModelCard {
        name: run.name.clone(),
        summary: "A demonstration of the model card; all its numbers are made up.".into(),
        license: Some("mit".into()),
        data_name: "synthetic".into(),
        input: "32×32 RGB".into(),
        architecture: "four convolutional blocks, 128-d embedding".into(),
        distance: "Euclidean".into(),
        threshold: Some(0.62),
        threshold_target: "best accuracy on the validation pairs".into(),
        figures: run.figures.clone(),
        usage: vec!["siamese verify demo.safetensors left.png right.png".into()],
        reproduce: run.reproduce.clone(),
        ..Default::default()
    }
}

fn events(run: &RunReport, folder: &std::path::Path) -> anyhow::Result<()> {
    let mut events = EventWriter::create(folder.join("tensorboard"))?;
    for row in &run.epochs {
        let step = row.epoch as u64;
        events.scalar("loss/train", step, row.train_loss as f32)?;
        if let Some(pairs) = &run.distances {
            events.histogram("distance/like", step, &pairs.like)?;
            events.histogram("distance/unlike", step, &pairs.unlike)?;
        }
        events.flush()?;
    }
    if let Some(pair) = run.examples.first() {
        events.image("pair/left", 1, &pair.left)?;
    }
    let mut resumed = EventWriter::resume(folder.join("tensorboard"), 10)?;
    resumed.scalar("loss/train", 11, 0.5)?;
    resumed.flush()?;
    Ok(())
}

fn projector(run: &RunReport, folder: &std::path::Path) -> anyhow::Result<()> {
    let Some(map) = run.embedding_maps.first() else {
        return Ok(());
    };
    let projector = Projector {
        name: "demo".into(),
        dimension: 2,
        embeddings: map
            .points
            .iter()
            .flatten()
            .map(|&value| value as f32)
            .collect(),
        columns: vec!["class".into()],
        metadata: map
            .classes
            .iter()
            .map(|&class| vec![map.class_names[class].clone()])
            .collect(),
        thumbnails: map.thumbnails.clone(),
    };
    Ok(projector.write(folder.join("projector"))?)
}
