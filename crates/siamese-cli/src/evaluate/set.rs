//! Labelled images: what a run held out, a data set, or a folder of one's own.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use siamese_core::metrics::npz::write_npz;
use siamese_core::metrics::verification::Target;
use siamese_core::{Model, Threshold};
use siamese_data::{
    FileProblem, ImageSet, Part, SplitBy, evaluation_pairs, open, read_image_folder,
};
use siamese_embed::framing;
use siamese_evaluate::{
    EpisodeConfig, EvaluateConfig, Evaluation, evaluate, few_shot_figures, fit_threshold,
    halve_classes,
};
use siamese_report::{Banner, RunReport, SetFigures};
use siamese_train::{Divided, RunFolder, RunRecord, TrainConfig, TrainingData};

use super::Arguments;
use super::options::ClassList;
use super::output::{Column, Results};
use crate::train;

/// What is judged, and what a threshold may be fitted on.
struct Material {
    /// What a page calls the data.
    title: String,
    /// Sets by name; the first is the one that the command is about.
    sets: Vec<(String, ImageSet)>,
    /// The run's own data, if a threshold may be fitted on its validation images.
    run: Option<OwnData>,
    sample: bool,
    notes: Vec<String>,
}

/// The data of the run that a model belongs to.
struct OwnData {
    config: TrainConfig,
    data: TrainingData,
    divided: Divided,
}

/// Judges the model on a folder, on a data set, or on what its run held out.
pub(super) fn judge(arguments: &Arguments) -> Result<Results> {
    let mut model = arguments.load_model()?;
    let mut material = match &arguments.what.folder {
        Some(folder) => of_folder(arguments, &model, folder)?,
        None => match run_record(arguments)? {
            Some(record) => of_run(arguments, &model, record)?,
            None => of_data(arguments, &model)?,
        },
    };
    if let Some(target) = arguments.threshold.threshold_at {
        model.threshold = Some(fit(arguments, &model, &mut material, target.0)?);
        arguments.save_model(&model)?;
    }
    let config = EvaluateConfig {
        pairs: arguments.pairs,
        seed: arguments.seed,
    };
    let mut judged = Vec::new();
    for (name, images) in &material.sets {
        let mut evaluation = evaluate(&model, images, &config)?;
        let first = judged.is_empty();
        play_episodes(arguments, (name, images), first, &mut evaluation)?;
        judged.push(evaluation);
    }
    write_files(arguments, &material, &judged)?;
    let mut notes = set_notes(arguments, &material);
    let episodes = arguments.few_shot.episodes(arguments.seed);
    notes.extend(episodes.as_ref().map(episode_note));
    notes.append(&mut material.notes);
    let names = material.sets.into_iter().map(|(name, _)| name);
    Ok(Results {
        columns: names
            .zip(judged)
            .map(|(name, Evaluation { figures, .. })| Column { name, figures })
            .collect(),
        threshold: model.threshold.as_ref().map(Into::into),
        notes,
    })
}

/// Writes the report and the embeddings, where they were asked for.
fn write_files(arguments: &Arguments, material: &Material, judged: &[Evaluation]) -> Result<()> {
    if let Some(file) = &arguments.report {
        report(arguments, material, judged)?.write(file)?;
    }
    if let Some(file) = &arguments.export {
        let table = judged[0].embeddings.table(&material.sets[0].1.labels)?;
        write_npz(file, &table.view()?, None)?;
    }
    if let Some(folder) = &arguments.projector {
        let shown = judged[0].projector("embeddings", &material.sets[0].1)?;
        shown.write(folder)?;
    }
    Ok(())
}

fn of_folder(arguments: &Arguments, model: &Model, folder: &Path) -> Result<Material> {
    let few_shot = arguments.few_shot.classes();
    ensure!(
        few_shot.is_none_or(|list| list == ClassList::All),
        "CIFAR-FS and FC100 are made of CIFAR-100; of a folder use --few-shot all"
    );
    let input = &model.tower.config().input;
    let read = read_image_folder(folder, Some((input.height, input.width)))?;
    let unreadable = |problem: &&FileProblem| matches!(problem, FileProblem::Unreadable { .. });
    let unreadable = read.problems.iter().filter(unreadable).count();
    if unreadable > 0 {
        eprintln!(
            "warning: {unreadable} files of {} could not be read and were left out",
            folder.display()
        );
    }
    Ok(Material {
        title: super::last_name(folder),
        sets: vec![(String::new(), read.set)],
        run: None,
        sample: false,
        notes: Vec::new(),
    })
}

/// The images that the model's run held out: of a run that was divided by classes the unseen and the seen ones.
fn of_run(arguments: &Arguments, model: &Model, record: RunRecord) -> Result<Material> {
    let place = &arguments.what.data;
    let (data, _) = train::of_run(&record, place)?;
    if record.check_data(&data.about).is_err() {
        // another set than the run's: nothing of it was held out by the run
        return of_data(arguments, model);
    }
    let config = record.config;
    let divided = data.divide(&config.data.split, config.seed)?;
    let list = arguments.few_shot.classes();
    let (mut sets, mut notes) = (Vec::new(), Vec::new());
    let mut apart = true;
    match list.and_then(ClassList::benchmark) {
        // the benchmark's own split: its test classes are the unseen ones
        Some((name, benchmark))
            if benchmark.test().collect::<HashSet<_>>()
                == classes_in(&data, &divided, &[Part::Test]) =>
        {
            let tests = divided.tests(&data).into_iter();
            sets.extend(tests.map(|set| (set.name.to_string(), set.images)));
            notes.push(format!("the unseen classes are the test classes of {name}"));
        }
        Some((name, benchmark)) => {
            let wanted: HashSet<&str> = benchmark.test().collect();
            let used = classes_in(&data, &divided, &[Part::Train, Part::Validation]);
            let seen = wanted.iter().filter(|class| used.contains(*class)).count();
            let images = match seen {
                0 => classes_of(&data.images, &wanted),
                _ => classes_of(&published_test(&data), &wanted),
            };
            notes.push(seen_note(name, wanted.len(), seen));
            // what was chosen by must not be fitted on and reported too
            apart = seen == 0 || divided.division.by != SplitBy::Classes;
            sets.push((String::new(), images));
        }
        None => {
            let tests = divided.tests(&data).into_iter();
            sets.extend(tests.map(|set| (set.name.to_string(), set.images)));
            notes.push(divided.division.explained.clone());
        }
    }
    let (sample, title) = (data.about.sample, data.about.title.clone());
    let own = OwnData {
        config,
        data,
        divided,
    };
    Ok(Material {
        title,
        sets,
        run: apart.then_some(own),
        sample,
        notes,
    })
}

/// The published test images of a data set that is named, or all of its images.
fn of_data(arguments: &Arguments, model: &Model) -> Result<Material> {
    let place = &arguments.what.data;
    let source = place.path().context(
        "nothing tells what to judge this model on: give the folder of its run instead of the bare file, or \
         --folder DIR with a subfolder per class, or --data with a data set",
    )?;
    let options = place.options(Default::default());
    let listing = open(source, &options)?;
    place.say(&listing);
    let (data, _) = TrainingData::load(&listing, &framing(&model.tower.config().input), &options)?;
    let images = published_test(&data);
    let images = match arguments.few_shot.classes().and_then(ClassList::benchmark) {
        Some((_, benchmark)) => classes_of(&images, &benchmark.test().collect()),
        None => images,
    };
    let title = data.about.title;
    Ok(Material {
        sets: vec![(String::new(), images)],
        run: None,
        sample: data.about.sample,
        notes: vec![format!("judged on {title}")],
        title,
    })
}

/// The images that were published to test by; all where none were.
fn published_test(data: &TrainingData) -> ImageSet {
    let Some(parts) = &data.published else {
        return data.images.as_ref().clone();
    };
    let test: Vec<u32> = (0u32..)
        .zip(parts)
        .filter(|(_, part)| **part == Some(Part::Test))
        .map(|(i, _)| i)
        .collect();
    data.images.subset(&test)
}

/// The classes of the images in these parts.
fn classes_in<'a>(data: &'a TrainingData, divided: &Divided, parts: &[Part]) -> HashSet<&'a str> {
    let images = parts.iter().flat_map(|part| divided.part(*part));
    images
        .map(|i| data.images.classes[data.images.labels[i as usize] as usize].as_str())
        .collect()
}

/// The record of the run that the model belongs to: in the folder given, or beside the file given.
fn run_record(arguments: &Arguments) -> Result<Option<RunRecord>> {
    let model = arguments.model_path()?;
    let Some(Ok(folder)) = model.parent().map(RunFolder::open) else {
        return Ok(None);
    };
    let given_as_folder = arguments.model.as_deref().is_some_and(Path::is_dir);
    match folder.record() {
        Err(error) if given_as_folder => Err(error),
        // Beside a lone model file, a config.json may be anybody's.
        record => Ok(record.ok()),
    }
}

/// The images of these classes.
fn classes_of(images: &ImageSet, names: &HashSet<&str>) -> ImageSet {
    let class = |i: u32| images.classes[images.labels[i as usize] as usize].as_str();
    let wanted: Vec<u32> = (0..images.len() as u32)
        .filter(|&i| names.contains(class(i)))
        .collect();
    images.subset(&wanted)
}

/// Says how many of a benchmark's classes are new to the model.
fn seen_note(benchmark: &str, classes: usize, seen: usize) -> String {
    let of = format!("the {classes} test classes of {benchmark}");
    match seen {
        0 => format!("{of}, none of them trained on or chosen by"),
        _ => format!(
            "test images of {of}; {seen} of these classes were trained on or chosen by: not comparable with published few-shot figures"
        ),
    }
}

/// Fits a threshold on images that are not reported, leaving those in `material`.
fn fit(
    arguments: &Arguments,
    model: &Model,
    material: &mut Material,
    target: Target,
) -> Result<Threshold> {
    if let Some(own) = &material.run {
        let (images, count) = (&own.data.images, own.config.judge.validation_pairs);
        let held_out = own.divided.part(Part::Validation);
        let pairs = evaluation_pairs(&images.labels, &held_out, count, own.config.seed)?;
        let on = format!("{} validation pairs", pairs.len());
        return fit_threshold(model, images, pairs, target, on);
    }
    let (_, images) = &mut material.sets[0];
    let (fitting, reported) = halve_classes(&images.labels);
    let pairs = evaluation_pairs(&images.labels, &fitting, arguments.pairs, arguments.seed)
        .context("drawing pairs of every second class to fit the threshold on")?;
    let on = format!("{} pairs of every second class", pairs.len());
    let fitted = fit_threshold(model, images, pairs, target, on)?;
    *images = images.subset(&reported);
    material
        .notes
        .push("the figures are of the classes that the threshold was not fitted on".into());
    Ok(fitted)
}

/// Adds few-shot figures, if asked for. A second set whose classes are too small goes without them.
fn play_episodes(
    arguments: &Arguments,
    (name, images): (&str, &ImageSet),
    first: bool,
    evaluation: &mut Evaluation,
) -> Result<()> {
    let Some(episodes) = arguments.few_shot.episodes(arguments.seed) else {
        return Ok(());
    };
    let mut sizes = vec![0; images.classes.len()];
    images
        .labels
        .iter()
        .for_each(|&label| sizes[label as usize] += 1);
    let smallest = sizes.into_iter().filter(|&size| size > 0).min();
    if !first && smallest < Some(episodes.images_of_a_class()) {
        eprintln!("no episodes of {name}: too few images of a class");
        return Ok(());
    }
    let table = evaluation.embeddings.table(&images.labels)?;
    let figures = few_shot_figures(&table.view()?, evaluation.distance, &episodes)?;
    evaluation.figures.extend(figures);
    Ok(())
}

/// What the episodes were.
pub(super) fn episode_note(episodes: &EpisodeConfig) -> String {
    format!(
        "few-shot: {} episodes each, {} queries per class, nearest class mean, ± 1.96 standard errors",
        episodes.episodes, episodes.queries
    )
}

/// What each set is.
fn set_notes(arguments: &Arguments, material: &Material) -> Vec<String> {
    let note = |(name, images): &(String, ImageSet)| {
        let of = if name.is_empty() { "" } else { " of " };
        format!(
            "{} balanced pairs of {} images{of}{name}, {} classes; 95 % intervals by bootstrap over classes",
            arguments.pairs,
            images.len(),
            class_count(images)
        )
    };
    let mut notes: Vec<String> = material.sets.iter().map(note).collect();
    if material.sets.len() > 1 {
        notes.push("retrieval and kNN among more classes are harder: compare verification".into());
    }
    notes
}

/// Classes that have images.
fn class_count(images: &ImageSet) -> usize {
    images.labels.iter().collect::<HashSet<_>>().len()
}

fn report(arguments: &Arguments, material: &Material, judged: &[Evaluation]) -> Result<RunReport> {
    let (set, images) = &material.sets[0];
    let classes = match set.as_str() {
        "" => "classes",
        set => set,
    };
    let mut notes = set_notes(arguments, material);
    notes.extend(material.notes.iter().cloned());
    let mut report = RunReport {
        name: arguments.model_name()?,
        judged_on: material.title.clone(),
        data: format!(
            "{} images of {} {classes}",
            images.len(),
            class_count(images)
        ),
        banners: if material.sample {
            vec![Banner::bundled_sample()]
        } else {
            Vec::new()
        },
        figures_note: notes.join("; "),
        ..Default::default()
    };
    judged[0].fill(&mut report, images)?;
    let sets = material.sets.iter().zip(judged);
    report.figures = sets
        .map(|((name, _), evaluation)| SetFigures::on(name, evaluation.figures.clone()))
        .collect();
    Ok(report)
}

impl Arguments {
    /// Writes the model with its new threshold, if asked to.
    pub(super) fn save_model(&self, model: &Model) -> Result<()> {
        if let Some(file) = &self.threshold.save_model {
            model.save(file)?;
            eprintln!("wrote {}", file.display());
        }
        Ok(())
    }
}
