//! What a run says of itself: `report.html` and the model card.

use anyhow::Result;
use siamese_evaluate::Evaluation;
use siamese_report::{Banner, Figure, ModelCard, RunReport};

use crate::finish::Summary;
use crate::state::Run;
use crate::{Request, RunRecord};

/// Writes both into the run folder.
pub(crate) fn write(
    run: &Run,
    request: &Request,
    tested: &[Evaluation],
    summary: &Summary,
) -> Result<()> {
    let record = run.folder.record()?;
    report(run, request, tested, summary, &record)?.write(run.folder.file("report.html"))?;
    let card = card(run, request, tested, summary, &record)?;
    run.folder.write("README.md", card.to_markdown().as_bytes())
}

fn report(
    run: &Run,
    request: &Request,
    tested: &[Evaluation],
    summary: &Summary,
    record: &RunRecord,
) -> Result<RunReport> {
    let mut report = RunReport {
        name: run.folder.name(),
        data: format!(
            "{} · {}",
            summary.trained_on, request.data.provenance.origin
        ),
        banners: banners(run, summary),
        figures_note: figures_note(run, summary),
        epochs: run.folder.epochs()?,
        best_epoch: Some(summary.best_epoch),
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
            format!(
                "siamese train cifar100 --config {}",
                run.folder.file("config.json").display()
            ),
        ],
        ..Default::default()
    };
    tested[0].fill(&mut report, &run.splits.tests[0].images)?;
    report.figures = figures(run, tested);
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
    banners
}

/// The figures of every test set, side by side where there are several.
fn figures(run: &Run, tested: &[Evaluation]) -> Vec<Figure> {
    let sets = run.splits.tests.iter().zip(tested);
    sets.flat_map(|(set, evaluation)| {
        evaluation
            .report_figures()
            .into_iter()
            .map(|figure| figure.on(set.name))
    })
    .collect()
}

fn card(
    run: &Run,
    request: &Request,
    tested: &[Evaluation],
    summary: &Summary,
    record: &RunRecord,
) -> Result<ModelCard> {
    let (config, folder) = (&run.config, run.folder.path().display());
    let input = &config.tower.input;
    Ok(ModelCard {
        name: run.folder.name(),
        data_name: "CIFAR-100".into(),
        data_id: "uoft-cs/cifar100".into(),
        data: format!(
            "{} · {}",
            summary.trained_on, request.data.provenance.origin
        ),
        bundled_sample: summary.sample,
        input: format!(
            "{}×{} pixels, {} channels",
            input.height,
            input.width,
            input.channels()
        ),
        architecture: format!(
            "{} convolutional stages, {} parameters, embedding of {}",
            config.tower.stages.len(),
            run.tower.parameters().count(),
            config.tower.embedding
        ),
        distance: config.distance.to_string(),
        threshold: Some(summary.threshold),
        threshold_target: "best accuracy on the validation pairs".into(),
        training: vec![
            format!(
                "contrastive loss, margin {}, {}",
                config.loss.margin, config.loss.pairs
            ),
            format!(
                "{} epochs of at most {}, the best being {}",
                summary.epochs, config.epochs, summary.best_epoch
            ),
            format!(
                "seed {}, {} pairs per batch, {}",
                config.seed, config.pairs_per_batch, record.device
            ),
        ],
        figures: figures(run, tested),
        figures_note: figures_note(run, summary),
        reproduce: vec![
            record.command.clone(),
            format!("siamese train cifar100 --config {folder}/config.json"),
        ],
        ..Default::default()
    })
}

fn figures_note(run: &Run, summary: &Summary) -> String {
    format!(
        "{} balanced pairs of {} test images; threshold fitted on {} validation pairs; 95 % intervals by bootstrap over classes",
        summary.test_pairs,
        summary.test_images,
        run.validation_pairs.len()
    )
}
