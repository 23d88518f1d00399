//! What a run says of itself: `report.html` and the model card.

use anyhow::Result;
use siamese_evaluate::Evaluation;
use siamese_report::{Banner, Level, ModelCard, RunReport, SetFigures};

use crate::data::TestSet;
use crate::folder::RunRecord;
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
            "{} test images · trained on {} · {}",
            summary.test_images, summary.trained_on, request.data.about.origin
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
        reproduce: vec![
            record.command.clone(),
            format!("siamese train {}", run.folder.file("config.json").display()),
        ],
        ..Default::default()
    };
    if let (Some(set), Some(tested)) = (judged.0.first(), judged.1.first()) {
        tested.fill(&mut report, &set.images)?;
    }
    report.figures = figures(judged, summary);
    Ok(report)
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
    let (config, folder) = (&run.config, run.folder.path().display());
    let input = &config.tower.input;
    Ok(ModelCard {
        name: run.folder.name(),
        data_name: request.data.about.title.clone(),
        data_id: request.data.about.hub.clone(),
        data: format!("{} · {}", summary.trained_on, request.data.about.origin),
        bundled_sample: summary.sample,
        input: format!(
            "{}×{} pixels, {} channels",
            input.height,
            input.width,
            input.channels()
        ),
        architecture: format!(
            "{}, {} parameters, embedding of {}",
            config.tower.body,
            run.tower.parameters().count(),
            config.tower.embedding
        ),
        distance: config.distance.to_string(),
        threshold: Some(summary.threshold),
        threshold_target: "best accuracy on the validation pairs".into(),
        training: vec![
            config.objective.to_string(),
            format!(
                "{} epochs of at most {}, the best being {}",
                summary.epochs, config.epochs, summary.best_epoch
            ),
            format!(
                "seed {}, {} images per batch, {}",
                config.seed,
                config.sampler.batch_images(),
                record.device
            ),
        ],
        figures: figures(judged, summary),
        figures_note: figures_note(run, summary, judged),
        reproduce: vec![
            record.command.clone(),
            format!("siamese train {folder}/config.json"),
        ],
        ..Default::default()
    })
}

fn figures_note(run: &Run, summary: &Summary, (_, tested): Judged) -> String {
    if let Some(name) = &summary.figures_of {
        return format!(
            "the figures are of {name}, a model of the same settings that held these images out: this one was trained on \
             them too, and should be no worse; its threshold is fitted on {} validation pairs, which train neither",
            run.validation_pairs.len()
        );
    }
    let mut notes = vec![
        format!(
            "{} of {} test images",
            tested[0].judged.counted(),
            summary.test_images
        ),
        format!(
            "threshold fitted on {} validation pairs",
            run.validation_pairs.len()
        ),
        "95 % intervals by bootstrap over classes".into(),
    ];
    notes.extend(tested[0].notes.iter().cloned());
    notes.join("; ")
}
