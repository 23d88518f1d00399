//! What a run says of itself: `report.html` and the model card.

use anyhow::Result;
use siamese_evaluate::Evaluation;
use siamese_files::quoted;
use siamese_report::{Banner, Level, ModelCard, RunReport, SetFigures};
use siamese_words::counted;

use crate::data::TestSet;
use crate::folder::{RunFolder, RunRecord};
use crate::published::of_run;
use crate::request::Request;
use crate::run::Run;
use crate::summary::{Summary, skipped_note};

/// The test sets and what was found of each.
type Judged<'a> = (&'a [TestSet], &'a [Evaluation]);

/// Writes both into the run folder.
pub(crate) fn write(run: &Run, request: &Request, judged: Judged, summary: &Summary) -> Result<()> {
    let record = run.folder.record()?;
    report(run, request, judged, summary, &record)?.write(run.folder.file("report.html"))?;
    let card = card(run, request, judged, summary, &record)?;
    run.folder.write("README.md", card.to_markdown().as_bytes())
}

fn report(
    run: &Run,
    request: &Request,
    judged: Judged,
    summary: &Summary,
    record: &RunRecord,
) -> Result<RunReport> {
    let mut report = RunReport {
        name: run.folder.name(),
        judged_on: request.data.about.title.clone(),
        data: format!(
            "{} · trained on {} · {}",
            counted(summary.test_images, "test image"),
            summary.trained_on,
            request.data.about.origin
        ),
        banners: banners(run, summary),
        figures_note: figures_note(run, summary, judged),
        epochs: run.folder.epochs()?,
        best_epoch: Some(summary.best_epoch),
        // both are of pairs, averaged alike; where the objective is none of pairs, only one is there
        losses_comparable: true,
        config: serde_json::to_value(&run.config)?,
        environment: vec![
            ("device".into(), record.device.clone()),
            ("platform".into(), record.platform.clone()),
            ("siamese".into(), record.siamese.clone()),
            ("Candle".into(), record.candle.clone()),
        ],
        timing: vec![
            (
                "training and validation".into(),
                format!("{:.1} min", summary.seconds / 60.0),
            ),
            (
                "epochs".into(),
                format!("{} of at most {}", summary.epochs, run.config.epochs),
            ),
        ],
        reproduce: vec![record.command.clone(), again(&run.folder)],
        ..Default::default()
    };
    if let (Some(set), Some(tested)) = (judged.0.first(), judged.1.first()) {
        tested.fill(&mut report, &set.images)?;
    }
    report.figures = figures(judged, summary);
    Ok(report)
}

/// The command that trains a run's settings again.
fn again(folder: &RunFolder) -> String {
    let config = folder.file("config.json");
    format!("siamese train {}", quoted(&config.to_string_lossy()))
}

fn banners(run: &Run, summary: &Summary) -> Vec<Banner> {
    let mut banners = Vec::new();
    if summary.sample {
        banners.push(Banner::bundled_sample());
    }
    if let Some((epoch, reason)) = &run.position.alarm {
        banners.push(Banner::collapse(*epoch, reason));
    }
    if let Some(text) = skipped_note(summary.skipped_steps) {
        let title = "Steps were skipped".into();
        banners.push(Banner {
            level: Level::Warning,
            title,
            text,
        });
    }
    if let Some(reason) = &run.diverged {
        banners.push(Banner {
            level: Level::Alarm,
            title: "Diverged: this is the best model before".into(),
            text: reason.clone(),
        });
    }
    banners
}

/// The figures of every test set, side by side where there are several.
fn figures((tests, tested): Judged, summary: &Summary) -> Vec<SetFigures> {
    if summary.figures_of.is_some() {
        return vec![SetFigures::on("", summary.figures.clone())];
    }
    let sets = tests.iter().zip(tested);
    sets.map(|(set, evaluation)| SetFigures::on(set.name, evaluation.figures.clone()))
        .collect()
}

fn card(
    run: &Run,
    request: &Request,
    judged: Judged,
    summary: &Summary,
    record: &RunRecord,
) -> Result<ModelCard> {
    let config = &run.config;
    let input = &config.tower.input;
    let own = ModelCard {
        name: run.folder.name(),
        data: format!("{} · {}", summary.trained_on, request.data.about.origin),
        input: format!(
            "{}×{} pixels, {} channels",
            input.height,
            input.width,
            input.channels()
        ),
        architecture: format!(
            "{}, {} parameters, embedding of {}{}",
            config.tower.body,
            run.tower.parameters().count(),
            config.tower.embedding,
            head_in_words(run)
        ),
        distance: run.metric()?.to_string(),
        threshold: Some(summary.threshold),
        threshold_target: "best accuracy on the validation pairs".into(),
        figures: figures(judged, summary),
        figures_note: figures_note(run, summary, judged),
        reproduce: vec![record.command.clone(), again(&run.folder)],
        ..Default::default()
    };
    let mut card = of_run(own, &request.data.about, config, summary);
    if let Some(last) = card.training.last_mut() {
        *last = format!("{last}, {}", record.device);
    }
    Ok(card)
}

/// What compares the embeddings, where that is learned.
fn head_in_words(run: &Run) -> String {
    run.objective.head().map_or_else(String::new, |head| {
        let (how, count) = (head.config(), head.parameters().count());
        format!(", compared by {how}, {count} parameters")
    })
}

fn figures_note(run: &Run, summary: &Summary, (_, tested): Judged) -> String {
    if let Some(name) = &summary.figures_of {
        return format!(
            "the figures are of {name}, a model of the same settings that held these images out: this one was trained on \
             them too, and should be no worse; its threshold is fitted on {}, which train neither",
            counted(run.validation.pairs.len(), "validation pair")
        );
    }
    let mut notes = vec![
        format!(
            "{} of {}",
            tested[0].judged.counted(),
            counted(summary.test_images, "test image")
        ),
        format!(
            "threshold fitted on {}",
            counted(run.validation.pairs.len(), "validation pair")
        ),
        "95 % intervals by bootstrap over classes".into(),
    ];
    notes.extend(tested[0].notes.iter().cloned());
    notes.join("; ")
}
