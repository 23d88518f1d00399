//! `siamese train`, and `siamese new`.

mod interrupt;
mod next;
mod processes;
mod profile;
mod progress;
mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use clap::Args;
use indicatif::{DecimalBytes, HumanCount, HumanDuration};
use siamese_collective::Place;
use siamese_data::{LeftOut, Listing, Loose, OpenOptions, open};
use siamese_embed::framing;
use siamese_train::{
    Draft, Layer, Memory, Outcome, Plan, Preset, Request, RunFolder, RunRecord, TrainConfig,
    TrainingData, check, train, train_among,
};
use siamese_words::counted;

use crate::called::{command, own_command};
use crate::data::{DataArguments, as_text, say_as_published, warn_unless_as_published};
use crate::device::{DeviceChoice, describe};
use processes::World;
use profile::Profiler;
use progress::Progress;
use settings::Settings;

/// Arguments of `siamese train`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder with a subfolder per class, or of loose pictures (learned from without labels), a table, an archive, a set
    /// by name (cifar100, fashion-mnist, …), hf:user/name; or a configuration that names one
    data: Option<OsString>,
    #[command(flatten)]
    place: DataArguments,
    /// Go on with an interrupted run, by its folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "name"])]
    resume: Option<PathBuf>,
    /// Name of the run, a folder under --runs [default: DATA-PRESET-1, -2, …]
    #[arg(long)]
    name: Option<String>,
    /// Where run folders are made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Fit the epochs to this much time, such as 20m or 1h30m, by measuring some steps
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// When the run is finished and judged, train once more on its test images too: the model to use, in RUN-refit
    #[arg(long)]
    refit: bool,
    /// Print plan, parameters, estimated time and memory, and end
    #[arg(long)]
    dry_run: bool,
    /// Begin also where more memory is needed than there seems to be
    #[arg(long)]
    any_memory: bool,
    /// Print the whole configuration, and end
    #[arg(long)]
    print_config: bool,
    /// Write a checkpoint this often, and after each epoch
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    checkpoint_every: Duration,
    /// Threads that prepare batches, in each process where a launcher started several
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Print where the time went, layer by layer and beside the layers; on a CPU
    #[arg(long, conflicts_with_all = ["dry_run", "print_config"])]
    profile: bool,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `siamese new`.
#[derive(Args)]
pub(crate) struct NewArguments {
    /// As for `siamese train`
    data: OsString,
    #[command(flatten)]
    place: DataArguments,
    #[command(flatten)]
    settings: Settings,
}

/// Runs `siamese new`: a commented configuration on standard output.
pub(crate) fn new(arguments: &NewArguments) -> Result<ExitCode> {
    let told = told(&arguments.settings, &arguments.place, None)?;
    let draft = draft(as_text(&arguments.data)?, &arguments.place, &told)?;
    print!("{}", draft.to_toml()?);
    Ok(ExitCode::SUCCESS)
}

/// Runs `siamese train`.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match Place::from_env()? {
        Some(place) => processes::run(arguments, &place),
        None => lead(arguments, &arguments.device.open()?, None),
    }
}

/// As the only process, or the first of several.
fn lead(arguments: &Arguments, device: &Device, world: World) -> Result<ExitCode> {
    ensure!(
        !arguments.profile || device.is_cpu(),
        "--profile measures the layers on a CPU; a GPU's are measured by nsys, NVIDIA's own"
    );
    match &arguments.resume {
        Some(run) => resume(arguments, run, device, world),
        None => start(arguments, device, world),
    }
}

/// A new run.
fn start(arguments: &Arguments, device: &Device, world: World) -> Result<ExitCode> {
    let file = arguments
        .data
        .as_deref()
        .map(Path::new)
        .filter(|path| is_config(path));
    let told = told(&arguments.settings, &arguments.place, file)?;
    let source = source(arguments, file, &told)?;
    let mut draft = draft(&source, &arguments.place, &told)?;
    if !arguments.any_memory && !arguments.print_config {
        let memory = draft
            .memory(device)?
            .in_processes(world.map_or(1, |w| w.size()));
        memory.check()?; // before pictures are decoded, and a step is measured
    }
    if arguments.time.is_some() || arguments.dry_run {
        let (config, mut plan) = draft.plan(device)?;
        if let Some(budget) = arguments.time {
            plan.epochs = plan.epochs_within(budget)?;
            let patience = config.stopping.patience.max(plan.epochs);
            draft.set("epochs", &plan.epochs.to_string())?;
            draft.set("stopping.patience", &patience.to_string())?;
            let fits = if plan.epochs == 1 { "fits" } else { "fit" };
            eprintln!(
                "{} {fits} into {}",
                counted(plan.epochs, "epoch"),
                HumanDuration(budget)
            );
        }
        if arguments.dry_run {
            print_plan(&config, &plan, draft.split());
            return Ok(ExitCode::SUCCESS);
        }
    }
    let (config, data, problems) = draft.complete(&options(&arguments.place, &told)?)?;
    say_left_out(&problems);
    say_as_published(&data.about.title, data.as_published);
    if arguments.print_config {
        print!("{}", Layer::of(&config)?.to_toml()?);
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "  {}",
        data.divide(&config.data, config.seed)?.division.explained
    );
    check(&config, &data, device)?; // before anything is made
    let record = RunRecord::new(&config, &data.about, describe(device), own_command());
    let folder = RunFolder::begin(&arguments.runs, arguments.name.as_deref(), &record)?;
    let _claim = folder.claim()?;
    run_and_refit(arguments, device, (&record, &data, &folder), world)
}

/// What is trained on: as it was named, else by where it lies, else by the configuration, else by the preset.
fn source(arguments: &Arguments, file: Option<&Path>, told: &Layer) -> Result<String> {
    if let (Some(data), None) = (&arguments.data, file) {
        return Ok(as_text(data)?.to_string());
    }
    if let Some(place) = arguments.place.path() {
        return Ok(as_text(place)?.to_string());
    }
    if let Some(source) = told.text("data.source") {
        return Ok(source.to_string());
    }
    let preset = told.text("preset").map(Preset::named).transpose()?;
    let set = preset.and_then(|preset| preset.sets.into_iter().next());
    set.context(
        "name what to train on: a folder with a subfolder per class, a table, an archive, a set by name such as \
         fashion-mnist, or a configuration with data.source",
    )
}

/// Goes on with a run.
fn resume(arguments: &Arguments, run: &Path, device: &Device, world: World) -> Result<ExitCode> {
    let told = arguments.settings.resumed(run)?;
    if arguments.dry_run || arguments.print_config || arguments.time.is_some() {
        bail!(
            "--dry-run, --print-config and --time are for new runs: a resumed run keeps its configuration (see {}/config.json)",
            run.display()
        )
    }
    let folder = RunFolder::open(run)?;
    let _claim = folder.claim()?;
    let mut record = folder.record()?;
    let before = record.config.clone();
    record.config = TrainConfig::from_layers([&Layer::of(&before)?, &told])?;
    let (data, problems) = of_run(&record, &arguments.place)?;
    say_left_out(&problems);
    record.check_data(&data.about)?;
    if !arguments.any_memory {
        let divided = data.divide(&record.config.data, record.config.seed)?;
        let memory = Memory::of(&record.config, &divided, device)?;
        memory.in_processes(world.map_or(1, |w| w.size())).check()?;
    }
    if record.config != before {
        folder.write_json("config.json", &record)?;
    }
    run_and_refit(arguments, device, (&record, &data, &folder), world)
}

/// Trains in a folder; where that is asked for, then on the test images too, in another.
fn run_and_refit(
    arguments: &Arguments,
    device: &Device,
    (record, data, folder): (&RunRecord, &TrainingData, &RunFolder),
    world: World,
) -> Result<ExitCode> {
    interrupt::listen()?;
    let ended = go(arguments, device, (record, data, folder), world)?;
    if !arguments.refit || record.refit_of.is_some() || ended != ExitCode::SUCCESS {
        return Ok(ended);
    }
    let name = format!("{}-refit", folder.name());
    let place = folder.beside(&name);
    let (folder, record) = if place.join("config.json").exists() {
        let folder = RunFolder::open(&place)?;
        let record = folder.record()?;
        (folder, record)
    } else {
        let record = record.refit(folder.name(), own_command());
        let parent = place.parent().unwrap_or(Path::new("."));
        let folder = RunFolder::begin(parent, Some(&name), &record)?;
        (folder, record)
    };
    eprintln!("\nand now on the test images too, with the same settings");
    go(arguments, device, (&record, data, &folder), world)
}

/// The images of a run, from where it had them or from where it is told.
pub(crate) fn of_run(
    record: &RunRecord,
    place: &DataArguments,
) -> Result<(TrainingData, Vec<LeftOut>)> {
    let (listing, data, problems) = images_of_run(record, place)?;
    warn_unless_as_published(&listing);
    say_as_published(&data.about.title, data.as_published);
    Ok((data, problems))
}

/// The same, and how they were listed; nothing is said.
fn images_of_run(
    record: &RunRecord,
    place: &DataArguments,
) -> Result<(Listing, TrainingData, Vec<LeftOut>)> {
    let config = &record.config;
    let sample = record.data.sample;
    let mut options = OpenOptions {
        loose: Loose::Unlabelled,
        ..place.options_as(config.data.columns.clone(), sample)
    };
    options.missing_shards |= config.data.missing_shards;
    let listing = match place.path() {
        Some(told) => open(told, &options)?,
        None => open(&config.data.source, &options)
            .context("the run's data set; where it lies by now is told by --data PATH")?,
    };
    let framing = framing(&config.tower.input);
    let (data, problems) = TrainingData::load(&listing, &framing, &options)?;
    let size = config.augment.cached_size;
    let data = data.with_cached(&listing, &framing, size, &options)?;
    let data = match config.data.unlabelled {
        true => data.in_two_views(),
        false => data,
    };
    Ok((listing, data, problems))
}

/// Trains in a folder, and says how it ended.
fn go(
    arguments: &Arguments,
    device: &Device,
    (record, data, folder): (&RunRecord, &TrainingData, &RunFolder),
    world: World,
) -> Result<ExitCode> {
    eprintln!("training on {}", describe(device));
    if let Some(world) = world {
        eprintln!(
            "in {} processes, each with its part of every batch",
            world.size()
        );
        world.broadcast(serde_json::to_vec(record)?)?;
    }
    eprintln!("run folder {}", folder.path().display());
    let progress = Progress::default();
    let profiler = arguments.profile.then(Profiler::start);
    let request = Request {
        config: &record.config,
        data,
        device,
        folder,
        workers: arguments.workers,
        checkpoint_every: arguments.checkpoint_every,
        interrupt: &interrupt::WANTED,
        observe: &|event| {
            progress.draw(event);
            if let Some(profiler) = &profiler {
                profiler.observe(event);
            }
        },
    };
    let outcome = match world {
        Some(world) => train_among(&request, Arc::clone(world)),
        None => train(&request),
    };
    progress.clear();
    if let Some(table) = profiler.and_then(|profiler| profiler.table()) {
        eprint!("{table}");
    }
    match outcome? {
        Outcome::Finished(summary) => {
            next::say(&summary, data, folder);
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Diverged { reason, summary } => {
            next::say(&summary, data, folder);
            bail!("{reason}")
        }
        Outcome::Followed => Ok(ExitCode::SUCCESS),
        Outcome::Interrupted { epoch } => {
            let go_on = command(["train", "--resume", &folder.path().to_string_lossy()]);
            eprintln!("interrupted in epoch {epoch}; go on with: {go_on}");
            Ok(interrupt::code())
        }
    }
}

/// What was recognised, and what was chosen, said on standard error.
fn draft(source: &str, place: &DataArguments, told: &Layer) -> Result<Draft> {
    let source = match place.path() {
        Some(place) => as_text(place)?,
        None => source,
    };
    let listing = open(source, &options(place, told)?)?;
    place.say(&listing);
    let draft = Draft::new(listing, source, told)?;
    for reason in &draft.reasons {
        eprintln!("  {reason}");
    }
    Ok(draft)
}

/// What is told about a run, where its pictures lie included.
fn told(settings: &Settings, place: &DataArguments, file: Option<&Path>) -> Result<Layer> {
    let mut told = settings.layer(file)?;
    if place.allows_missing_shards() {
        told.set("data.missing_shards", "true")?;
    }
    Ok(told)
}

/// How the pictures of a new run are opened.
fn options(place: &DataArguments, told: &Layer) -> Result<OpenOptions> {
    let mut options = OpenOptions {
        loose: Loose::Unlabelled,
        ..place.options(told.value("data.columns")?.unwrap_or_default())
    };
    options.missing_shards |= told
        .value::<bool>("data.missing_shards")?
        .unwrap_or_default();
    Ok(options)
}

fn print_plan(config: &TrainConfig, plan: &Plan, split: &str) {
    let input = &config.tower.input;
    let [training, validation, test] = plan.images.map(|n| HumanCount(n as u64));
    println!("images      {training} to train on, {validation} to validate, {test} to test");
    println!("split       {split}");
    println!(
        "input       {}×{} pixels, {} channels",
        input.height,
        input.width,
        input.channels()
    );
    for smaller in &config.progressive.0 {
        let ((height, width), share) = (smaller.size, 100.0 * smaller.until);
        println!("            {height}×{width} in the first {share:.0} % of the training");
    }
    println!(
        "tower       {}, embedding of {}",
        config.tower.body, config.tower.embedding
    );
    println!("parameters  {}", HumanCount(plan.parameters as u64));
    println!(
        "work        {} million multiply-adds an image",
        plan.multiply_adds / 1_000_000
    );
    println!("objective   {}", config.objective);
    println!(
        "batches     {} of {} in an epoch, {}",
        plan.batches,
        counted(plan.batch_images, "image"),
        counted(plan.epochs, "epoch")
    );
    println!(
        "time        {} an epoch, {} in all (measured on made-up images)",
        HumanDuration(plan.epoch()),
        HumanDuration(plan.whole())
    );
    println!(
        "memory      about {} beside the images, {} of it for each image of a batch",
        DecimalBytes(plan.memory.bytes()),
        DecimalBytes(plan.memory.per_image)
    );
}

pub(crate) fn say_left_out(problems: &[LeftOut]) {
    for problem in problems.iter().take(5) {
        eprintln!("  left out: {}: {}", problem.what, problem.why);
    }
    if problems.len() > 5 {
        eprintln!(
            "  left out: {} more that could not be read",
            problems.len() - 5
        );
    }
}

/// Whether a path is a configuration and no data set.
fn is_config(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension == "toml" || path.file_name().is_some_and(|name| name == "config.json")
}

/// A time such as `90s`, `20m` or `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("a time is written as 90s, 20m or 1h30m, got {text:?}");
    let (mut seconds, mut number) = (0.0, String::new());
    for c in text.chars() {
        let unit = match c {
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            _ => {
                number.push(c);
                continue;
            }
        };
        seconds += number.parse::<f64>().map_err(|_| wrong())? * unit;
        number.clear();
    }
    let good = number.is_empty() && seconds > 0.0 && seconds < 1e8;
    if good {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0.5m"), Ok(Duration::from_secs(30)));
        for wrong in ["20", "", "m", "-1m", "0s", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
