//! What is judged: what a run held out, a data set, or a folder of one's own.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use siamese_core::{ImageInput, Model};
use siamese_data::{ImageSet, Listing, Part, SplitBy, open};
use siamese_embed::{framing, marked_faces};
use siamese_train::{Divided, RunFolder, RunRecord, TestSet, TrainConfig, TrainingData};

use super::Arguments;
use super::options::ClassList;
use crate::data::say_as_published;
use crate::train;

/// What is judged, and what a threshold may be fitted on.
pub(super) struct Material {
    /// What a page calls the data.
    pub(super) title: String,
    /// Sets by name; the first is the one that the command is about.
    pub(super) sets: Vec<TestSet>,
    /// The run's own data, if a threshold may be fitted on its validation images.
    pub(super) run: Option<OwnData>,
    pub(super) sample: bool,
    pub(super) notes: Vec<String>,
}

/// The data of the run that a model belongs to.
pub(super) struct OwnData {
    pub(super) config: TrainConfig,
    pub(super) data: TrainingData,
    pub(super) divided: Divided,
}

impl Material {
    /// A folder or a data set that was told, else what the model's run held out.
    pub(super) fn of(arguments: &Arguments, model: &Model) -> Result<Self> {
        match &arguments.what.folder {
            Some(folder) => of_folder(arguments, model, folder),
            None => match run_record(arguments)? {
                Some(record) => of_run(arguments, model, record),
                None => of_data(arguments, &model.tower.config().input),
            },
        }
    }
}

/// Pictures that no run of ours tells anything about.
pub(super) struct Loose {
    pub(super) set: TestSet,
    pub(super) notes: Vec<String>,
}

/// The pictures of a folder, or the published test images of a data set, for an embedder that is no model of ours.
pub(super) fn loose(arguments: &Arguments, input: &ImageInput) -> Result<Loose> {
    let material = match &arguments.what.folder {
        Some(folder) => pictures(arguments, input, folder)?.0,
        None => of_data(arguments, input)?,
    };
    let mut sets = material.sets;
    Ok(Loose {
        set: sets.swap_remove(0),
        notes: material.notes,
    })
}

fn of_folder(arguments: &Arguments, model: &Model, folder: &Path) -> Result<Material> {
    let (material, listing) = pictures(arguments, &model.tower.config().input, folder)?;
    Ok(Material {
        notes: taken_whole(model, folder, &listing)?.into_iter().collect(),
        ..material
    })
}

fn pictures(
    arguments: &Arguments,
    input: &ImageInput,
    folder: &Path,
) -> Result<(Material, Listing)> {
    let few_shot = arguments.few_shot.classes();
    ensure!(
        few_shot.is_none_or(|list| list == ClassList::All),
        "CIFAR-FS and FC100 are made of CIFAR-100; of a folder use --few-shot all"
    );
    let options = arguments.what.data.options(Default::default());
    let listing = open(folder, &options)?;
    arguments.what.data.say(&listing);
    let (data, problems) = TrainingData::load(&listing, &framing(input), &options)?;
    train::say_left_out(&problems);
    say_as_published(&data.about.title, data.as_published);
    let all: Vec<u32> = (0..data.images.len() as u32).collect();
    let material = Material {
        title: super::last_name(folder),
        sets: vec![TestSet::of(&data, "", &all)],
        run: None,
        sample: false,
        notes: Vec::new(),
    };
    Ok((material, listing))
}

/// What to know where a model of faces is judged on pictures that may be none.
fn taken_whole(model: &Model, folder: &Path, listing: &Listing) -> Result<Option<String>> {
    let Some(faces) = model.faces else {
        return Ok(None);
    };
    let crops = listing.sizes.alike && listing.sizes.most_common == (faces.side, faces.side);
    let whole = !crops && marked_faces(folder)?.is_none();
    Ok(whole.then(|| {
        format!("the model is of {faces}, and these pictures were taken whole: cut the faces out first by `siamese data faces`")
    }))
}

/// The images that the model's run held out: of a run that was divided by classes the unseen and the seen ones.
fn of_run(arguments: &Arguments, model: &Model, record: RunRecord) -> Result<Material> {
    let place = &arguments.what.data;
    let (data, _) = train::of_run(&record, place)?;
    if record.check_data(&data.about).is_err() {
        // another set than the run's: nothing of it was held out by the run
        return of_data(arguments, &model.tower.config().input);
    }
    let config = record.config;
    let divided = data.divide(&config.data, config.seed)?;
    let list = arguments.few_shot.classes();
    let (mut sets, mut notes) = (Vec::new(), Vec::new());
    // views of validation pictures would have to be made as the run made them
    let mut apart = !config.data.unlabelled;
    match list.and_then(ClassList::benchmark) {
        // the benchmark's own split: its test classes are the unseen ones
        Some((name, benchmark))
            if benchmark.test().collect::<HashSet<_>>()
                == classes_in(&data, &divided, &[Part::Test]) =>
        {
            sets.extend(divided.tests(&data, &config)?);
            notes.push(format!("the unseen classes are the test classes of {name}"));
        }
        Some((name, benchmark)) => {
            let wanted: HashSet<&str> = benchmark.test().collect();
            let used = classes_in(&data, &divided, &[Part::Train, Part::Validation]);
            let seen = wanted.iter().filter(|class| used.contains(*class)).count();
            let images = match seen {
                0 => classes_of(&data.images, &wanted),
                _ => classes_of(&TestSet::published(&data).images, &wanted),
            };
            notes.push(seen_note(name, wanted.len(), seen));
            // what was chosen by must not be fitted on and reported too
            apart = seen == 0 || divided.division.by != SplitBy::Classes;
            sets.push(whole(images));
        }
        None => {
            sets.extend(divided.tests(&data, &config)?);
            notes.push(divided.division.explained.clone());
        }
    }
    ensure!(
        !sets.is_empty(),
        "this model was trained on its test images too: judge {}, whose settings it has, or give other pictures by \
         --folder or --data",
        record.refit_of.as_deref().unwrap_or("another run")
    );
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
fn of_data(arguments: &Arguments, input: &ImageInput) -> Result<Material> {
    let place = &arguments.what.data;
    let source = place.path().context(
        "nothing tells what to judge this model on: give the folder of its run instead of the bare file, or \
         --folder DIR with a subfolder per class, or --data with a data set",
    )?;
    let options = place.options(Default::default());
    let listing = open(source, &options)?;
    place.say(&listing);
    let (data, _) = TrainingData::load(&listing, &framing(input), &options)?;
    say_as_published(&data.about.title, data.as_published);
    let test = TestSet::published(&data);
    let test = match arguments.few_shot.classes().and_then(ClassList::benchmark) {
        Some((_, benchmark)) => whole(classes_of(&test.images, &benchmark.test().collect())),
        None => test,
    };
    let title = data.about.title;
    Ok(Material {
        sets: vec![test],
        run: None,
        sample: data.about.sample,
        notes: vec![format!("judged on {title}")],
        title,
    })
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
    let model = arguments.model.as_deref().context("no model was given")?;
    let Ok(folder) = RunFolder::of_model(model) else {
        return Ok(None);
    };
    let given_as_folder = model.is_dir();
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

/// Images as a set of its own.
fn whole(images: ImageSet) -> TestSet {
    TestSet {
        name: "",
        images,
        names: Vec::new(),
        pairs: None,
    }
}
