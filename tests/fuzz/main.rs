//! Fuzzing for long: `cargo run -p siamese-cli --example fuzz -- --minutes 30`, or `--inputs N`; rows of a Markdown
//! table on standard output, exit code 1 if an input was bad. Those are kept in `target/fuzz`, by parser, seed and number.
//! `fuzz/` runs the same parsers under libFuzzer; `--seeds FOLDER` writes what it begins with.

#![allow(clippy::unwrap_used)]

mod drive;
mod mutate;
mod parsers;
mod runs;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use drive::{Driver, Watch};

/// How long to go on.
struct Settings {
    minutes: Option<f64>,
    /// Of all parsers together.
    inputs: Option<u64>,
    seed: u64,
    /// Parsers whose name begins so.
    only: String,
    /// Where to write the seeds, instead.
    seeds: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let settings = read(std::env::args().skip(1))?;
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    if let Some(folder) = &settings.seeds {
        return write_seeds(folder);
    }
    let keep = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    let watch = Watch::start();
    let parsers = parsers::all();
    let wanted = parsers
        .iter()
        .filter(|parser| parser.name.starts_with(&settings.only));
    let mut drivers = Vec::new();
    for parser in wanted {
        let mut driver = Driver::new(parser, &watch, &keep)?;
        driver.seeds_are_read()?;
        drivers.push(driver);
    }
    if drivers.is_empty() {
        bail!("no parser's name begins with {:?}", settings.only);
    }
    let each = settings
        .inputs
        .map(|inputs| inputs.div_ceil(drivers.len() as u64));
    let end = settings
        .minutes
        .map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let mut number = 0;
    while each.is_none_or(|each| number < each) && end.is_none_or(|end| Instant::now() < end) {
        for driver in &mut drivers {
            driver.mutate(settings.seed, number);
        }
        number += 1;
        if number.is_multiple_of(1000) {
            eprintln!("{number} inputs to each of {} parsers", drivers.len());
        }
    }
    println!("| fault | tried | lost | refused |\n|---|---|---|---|");
    for driver in &drivers {
        let (name, tally) = (driver.name(), &driver.tally);
        let lost = match tally.bad.len() {
            0 => "nothing".to_string(),
            bad => format!("**{bad} did harm**"),
        };
        println!(
            "| damaged {name} | {} | {lost} | {} |",
            tally.tried, tally.refused
        );
    }
    let most = drivers
        .iter()
        .map(|driver| (driver.tally.most_memory, driver.tally.most_time));
    let (memory, time) = most.fold((0, Duration::ZERO), |a, b| (a.0.max(b.0), a.1.max(b.1)));
    eprintln!(
        "at most {} MiB and {:.1} s",
        memory >> 20,
        time.as_secs_f64()
    );
    let bad = drivers.iter().any(|driver| !driver.tally.bad.is_empty());
    Ok(ExitCode::from(u8::from(bad)))
}

/// A folder of seeds for each parser, as libFuzzer takes them.
fn write_seeds(folder: &Path) -> Result<ExitCode> {
    for parser in parsers::all() {
        let own = folder.join(parser.name.replace(' ', "_"));
        fs::create_dir_all(&own)?;
        for (i, seed) in (parser.seeds)()?.into_iter().enumerate() {
            fs::write(own.join(i.to_string()), seed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Settings> {
    let mut settings = Settings {
        minutes: None,
        inputs: None,
        seed: 1,
        only: String::new(),
        seeds: None,
    };
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--minutes" => settings.minutes = Some(value.parse().context("--minutes")?),
            "--inputs" => settings.inputs = Some(value.parse().context("--inputs")?),
            "--seed" => settings.seed = value.parse().context("--seed")?,
            "--only" => settings.only = value,
            "--seeds" => settings.seeds = Some(value.into()),
            other => {
                bail!("unknown option {other}: use --minutes, --inputs, --seed, --only or --seeds")
            }
        }
    }
    if settings.minutes.is_none() && settings.inputs.is_none() && settings.seeds.is_none() {
        bail!(
            "say how long, --minutes N or --inputs N, or where to write the seeds, --seeds FOLDER"
        );
    }
    Ok(settings)
}
