//! `cargo xtask reproduce`: published systems trained over several seeds, measured, and set beside what was published.

mod seed;
mod systems;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::{Usage, siamese, suggest};
use seed::Runner;
use systems::{SYSTEMS, System};
use table::Table;

pub(crate) const HELP: &str = "\
Trains a published system's preset once for each seed, judges each by the system's own metric and
by honest ones, and prints a Markdown table with intervals and what there is to beat.

Usage: cargo xtask reproduce NAME [options] [-- MORE ARGUMENTS OF siamese train]

A seed that is trained already is only judged again, and one that was interrupted goes on: the
same command continues where it was.

Options:
  --list             the systems, their data and what there is to beat
  --seeds N,N,…      the seeds (default: those of the system; each is a split of its own)
  --data PLACE       where the data lies, if not where its name leads
  --time TIME        fit the epochs of each seed to this much time, such as 20m
  --json             print every figure as JSON
  --runs DIR         where the run folders are made (default: runs)
  --device DEVICE    auto, cpu, cuda or cuda:N
  --features LIST    features of the build: cuda for NVIDIA GPUs
  --binary PATH      a siamese that is built already
  -h, --help         this text

Examples:
  $ cargo xtask reproduce --list
  $ cargo xtask reproduce att-faces
  $ cargo xtask reproduce omniglot --seeds 0 --time 20m
  $ cargo xtask reproduce cifar-fs --features cuda --device cuda
";

const OPTIONS: [&str; 9] = [
    "--list",
    "--seeds",
    "--data",
    "--time",
    "--json",
    "--runs",
    "--device",
    "--features",
    "--binary",
];

#[derive(Default)]
struct Options {
    seeds: Option<Vec<u64>>,
    json: bool,
    runs: Option<PathBuf>,
    device: Option<String>,
    features: Option<String>,
    binary: Option<PathBuf>,
    /// What `siamese train` gets.
    training: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    if args.iter().any(|arg| arg == "--list") {
        print!("{}", list());
        return Ok(ExitCode::SUCCESS);
    }
    let Some((name, rest)) = args
        .split_first()
        .filter(|(name, _)| !name.starts_with('-'))
    else {
        let message = "reproduce what? `cargo xtask reproduce --list` tells the systems";
        return Err(Usage(message.into()).into());
    };
    let (system, options) = (system(name)?, parse(rest)?);
    let siamese = match &options.binary {
        Some(binary) => binary.clone(),
        None => siamese::build(options.features.as_deref())?,
    };
    let runner = Runner {
        system,
        siamese: &siamese,
        runs: options.runs.as_deref().unwrap_or(Path::new("runs")),
        training: options.training,
        device: options.device.as_deref(),
    };
    let seeds = options.seeds.as_deref().unwrap_or(system.seeds);
    let measure = |&seed: &u64| Ok((seed, runner.measure(seed)?));
    let seeds = seeds.iter().map(measure).collect::<Result<Vec<_>>>()?;
    let words = ["cargo", "xtask", "reproduce"]
        .into_iter()
        .chain(args.iter().map(String::as_str));
    let table = Table {
        system,
        seeds: &seeds,
        command: &siamese::shell(&words.collect::<Vec<_>>()),
    };
    match options.json {
        true => println!("{:#}", table.json()),
        false => print!("{}", table.markdown()),
    }
    Ok(ExitCode::SUCCESS)
}

fn system(name: &str) -> Result<&'static System> {
    let found = SYSTEMS.iter().find(|system| system.name == name);
    found.ok_or_else(|| {
        let near = suggest::nearest(name, SYSTEMS.iter().map(|system| system.name));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`cargo xtask reproduce --list` tells them".into(),
        };
        Usage(format!("no system `{name}`: {hint}")).into()
    })
}

fn parse(args: &[String]) -> Result<Options> {
    let usage = |text: String| anyhow::Error::from(Usage(text));
    let (mut options, mut args) = (Options::default(), args.iter());
    while let Some(option) = args.next() {
        match option.as_str() {
            "--" => {
                options.training.extend(args.cloned());
                break;
            }
            "--json" => {
                options.json = true;
                continue;
            }
            known if OPTIONS.contains(&known) => {}
            unknown => {
                let near = suggest::nearest(unknown, OPTIONS);
                let near = near.map(|near| format!(": did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                return Err(usage(format!("reproduce has no option `{unknown}`{near}")));
            }
        }
        let value = args
            .next()
            .ok_or_else(|| usage(format!("{option} needs a value")))?;
        match option.as_str() {
            "--seeds" => options.seeds = Some(seeds(value)?),
            "--runs" => options.runs = Some(value.into()),
            "--device" => options.device = Some(value.clone()),
            "--features" => options.features = Some(value.clone()),
            "--binary" => options.binary = Some(value.into()),
            _ => options.training.extend([option.clone(), value.clone()]),
        }
    }
    Ok(options)
}

fn seeds(text: &str) -> Result<Vec<u64>> {
    let wrong = || {
        Usage(format!(
            "--seeds {text}: expected numbers such as 0,1,2, none of them twice"
        ))
    };
    let seeds: Vec<u64> = text
        .split(',')
        .map(|seed| seed.trim().parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    let mut once = seeds.clone();
    once.sort_unstable();
    once.dedup();
    match once.len() == seeds.len() {
        true => Ok(seeds),
        false => Err(wrong().into()),
    }
}

/// Each system with its data and what there is to beat.
fn list() -> String {
    let entry = |system: &System| {
        let beats = system.figures.iter().filter_map(|figure| {
            let beat = figure.beat?;
            let sign = if beat.below { "≤" } else { "≥" };
            Some(format!(
                "{} {sign} {} ({})",
                figure.label, beat.value, beat.whose
            ))
        });
        let beats: Vec<String> = beats.collect();
        let seeds: Vec<String> = system.seeds.iter().map(u64::to_string).collect();
        format!(
            "{}\n  {}\n  data     {}\n  seeds    {}\n  to beat  {}\n",
            system.name,
            system.about,
            system.data,
            seeds.join(", "),
            beats.join("; ")
        )
    };
    SYSTEMS.iter().map(entry).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn what_training_takes_is_handed_to_it() {
        let words = [
            "--seeds", "3,1", "--data", "my data", "--time", "5m", "--json", "--", "--epochs", "1",
        ];
        let options = parse(&strings(&words)).unwrap();
        assert_eq!(options.seeds, Some(vec![3, 1]));
        assert!(options.json);
        let training = ["--data", "my data", "--time", "5m", "--epochs", "1"];
        assert_eq!(options.training, strings(&training));
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        for (words, said) in [
            (&["--seed", "1"][..], "--seeds"),
            (&["--seeds", "1,x"], "0,1,2"),
            (&["--seeds", "1,1"], "twice"),
            (&["--time"], "--time needs a value"),
        ] {
            let error = parse(&strings(words)).err().unwrap();
            assert!(
                error.is::<Usage>() && error.to_string().contains(said),
                "{error}"
            );
        }
        let error = system("omniglots").err().unwrap().to_string();
        assert!(error.contains("did you mean `omniglot`?"), "{error}");
    }

    #[test]
    fn every_system_is_a_preset_and_each_figure_comes_from_one_of_its_evaluations() {
        let presets = paths::root().join("crates/siamese-train/presets");
        for system in SYSTEMS {
            let preset = presets.join(format!("{}.toml", system.name));
            assert!(preset.is_file(), "{}", preset.display());
            assert!(
                system
                    .figures
                    .iter()
                    .all(|figure| figure.judged < system.judged.len())
            );
            assert!(list().contains(system.name));
        }
    }
}
