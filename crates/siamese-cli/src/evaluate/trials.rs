//! Lake's 400 one-shot trials on Omniglot, run for run.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value, json};
use siamese_core::metrics::fewshot::LakeTrials;
use siamese_data::{bundled_one_shot_runs, read_one_shot_runs};
use siamese_evaluate::{one_shot_trials, raw_pixel_trials};

use super::Arguments;
use super::output::figures_as_json;

/// Plays the trials at `place`, or the bundled ones, with raw pixels and with the model if there is one.
pub(super) fn run(arguments: &Arguments, place: Option<&Path>) -> Result<ExitCode> {
    let place = match place {
        Some(place) => place.to_path_buf(),
        None => bundled_one_shot_runs()?,
    };
    let bootstrap = arguments.bootstrap();
    let mut players: Vec<(&str, LakeTrials)> = Vec::new();
    let model = match &arguments.model {
        Some(_) => Some(arguments.load_model()?),
        None => None,
    };
    if let Some(model) = &model {
        let input = &model.tower.config().input;
        let runs = read_one_shot_runs(&place, Some((input.height, input.width)))?;
        players.push(("model", one_shot_trials(model, &runs, &bootstrap)?));
    }
    let runs = read_one_shot_runs(&place, None)?;
    players.push(("raw pixels", raw_pixel_trials(&runs, &bootstrap)?));
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&players))?);
    } else {
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        print_table(&names, &players);
    }
    Ok(ExitCode::SUCCESS)
}

/// The first player at the top, the baseline under `raw_pixels` where there is a model.
fn as_json(players: &[(&str, LakeTrials)]) -> Value {
    let mut object = Map::new();
    for (i, (name, played)) in players.iter().enumerate() {
        let mut figures = figures_as_json(std::slice::from_ref(&played.accuracy));
        figures.insert("correct".into(), total(played).into());
        figures.insert("trials".into(), played.trials.into());
        figures.insert("correct_by_run".into(), json!(played.correct));
        if i == 0 {
            object.extend(figures);
        } else {
            object.insert(name.replace(' ', "_"), figures.into());
        }
    }
    object.into()
}

fn print_table(runs: &[&str], players: &[(&str, LakeTrials)]) {
    print!("{:<8}", "right in");
    players.iter().for_each(|(name, _)| print!("  {name:>10}"));
    println!();
    for (i, run) in runs.iter().enumerate() {
        print!("{run:<8}");
        players
            .iter()
            .for_each(|(_, played)| print!("  {:>10}", played.correct[i]));
        println!();
    }
    print!("{:<8}", "all");
    players
        .iter()
        .for_each(|(_, played)| print!("  {:>10}", total(played)));
    println!();
    for (name, played) in players {
        let accuracy = &played.accuracy;
        let interval = accuracy
            .interval
            .map(|i| format!(" ({:.4} – {:.4}, by run)", i.low, i.high))
            .unwrap_or_default();
        println!(
            "{} of {name}: {} of {} trials, {:.4}{interval}",
            accuracy.name,
            total(played),
            played.trials,
            accuracy.value
        );
    }
}

fn total(played: &LakeTrials) -> usize {
    played.correct.iter().sum()
}
