//! The card of a model that leaves the machine it was trained on: nothing in it tells of that machine.

use siamese_core::Model;
use siamese_report::{ModelCard, SetFigures};
use siamese_words::counted;

use crate::config::TrainConfig;
use crate::data::DataRecord;
use crate::folder::RunRecord;
use crate::summary::Summary;

/// What a run left behind: its settings and its figures.
pub type Ran<'a> = (&'a RunRecord, &'a Summary);

/// The model card for the hub, of the repository `name` such as `me/birds`; with the figures of its run, where that is known.
pub fn published_card(
    model: &Model,
    run: Option<Ran>,
    name: &str,
    license: Option<String>,
) -> ModelCard {
    let config = model.tower.config();
    let input = &config.input;
    let head = model.head.as_ref();
    let head = head.map_or_else(String::new, |head| {
        format!(", compared by {}", head.config())
    });
    let colours = if input.channels() == 1 { "grey" } else { "RGB" };
    let own = ModelCard {
        name: name.rsplit('/').next().unwrap_or(name).into(),
        summary: format!(
            "Embeds a picture as {} numbers: of two that show the same thing the embeddings are near. Made with \
             siamese (https://github.com/siamese-rs/siamese).",
            config.embedding
        ),
        license,
        data: model.provenance.trained_on.clone(),
        input: format!("{}×{} pixels, {colours}", input.height, input.width),
        architecture: format!(
            "{}, {} parameters, embedding of {}{head}",
            config.body,
            model.tower.parameters().count(),
            config.embedding
        ),
        distance: match &head[..] {
            "" => model.distance.to_string(),
            _ => "learned".into(),
        },
        threshold: model.threshold.as_ref().map(|threshold| threshold.value),
        threshold_target: model
            .threshold
            .as_ref()
            .map_or_else(String::new, |threshold| {
                format!("{} on {}", threshold.target, threshold.fitted_on)
            }),
        usage: usage(name),
        ..Default::default()
    };
    match run {
        Some((record, summary)) => with_run(own, record, summary),
        None => own,
    }
}

fn usage(name: &str) -> Vec<String> {
    [
        format!("siamese verify hf:{name} one.jpg other.jpg"),
        format!("siamese embed hf:{name} photos/ -o embeddings.npz"),
        format!("siamese gallery create people --model hf:{name}"),
    ]
    .into()
}

fn with_run(own: ModelCard, record: &RunRecord, summary: &Summary) -> ModelCard {
    let config = &record.config;
    let data = &record.data;
    let mut figures = vec![SetFigures::on("", summary.figures.clone())];
    if !summary.seen_classes.is_empty() {
        figures = vec![
            SetFigures::on("unseen classes", summary.figures.clone()),
            SetFigures::on("seen classes", summary.seen_classes.clone()),
        ];
    }
    let mut note = format!(
        "{} of {}; 95 % intervals by bootstrap over classes",
        counted(summary.test_pairs, "pair"),
        counted(summary.test_images, "test image")
    );
    if let Some(of) = &summary.figures_of {
        note = format!(
            "of {of}, a model of the same settings that held these images out: this one was trained on them too; {note}"
        );
    }
    if summary.leaked > 0 {
        note = format!(
            "{note}; {} among the training images, pixel for pixel, which flatters them",
            counted(summary.leaked, "test image")
        );
    }
    ModelCard {
        data: summary.trained_on.clone(),
        limits: summary.alarm.iter().cloned().collect(),
        figures,
        figures_note: note,
        ..of_run(own, data, config, summary)
    }
}

/// A card with what a run says of its data and of its training, wherever the card is read.
pub(crate) fn of_run(
    card: ModelCard,
    data: &DataRecord,
    config: &TrainConfig,
    summary: &Summary,
) -> ModelCard {
    ModelCard {
        data_name: data.title.clone(),
        data_id: data.hub.clone(),
        data_license: data.licence.clone(),
        citation: data.citation.clone(),
        bundled_sample: summary.sample,
        training: vec![
            config.objective.to_string(),
            format!(
                "{} of at most {}, the best being {}",
                counted(summary.epochs, "epoch"),
                config.epochs,
                summary.best_epoch
            ),
            format!(
                "seed {}, {} images per batch",
                config.seed,
                config.sampler.batch_images()
            ),
        ],
        ..card
    }
}
