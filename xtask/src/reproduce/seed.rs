//! One seed of a system: trained, unless it is already, and judged.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::systems::System;
use crate::{doctor, paths};

/// What was measured of one seed.
pub(super) struct Measured {
    /// What each evaluation printed.
    pub(super) judged: Vec<Value>,
    /// Training and validation.
    pub(super) seconds: f64,
    pub(super) hardware: String,
    pub(super) commit: String,
    /// Whether that was the bundled sample only.
    pub(super) sample: bool,
}

/// How the seeds of a system are run.
pub(super) struct Runner<'a> {
    pub(super) system: &'a System,
    /// The program.
    pub(super) siamese: &'a Path,
    /// The folder of the runs.
    pub(super) runs: &'a Path,
    /// More arguments of `siamese train`.
    pub(super) training: Vec<String>,
    /// What it computes on, where that is told.
    pub(super) device: Option<&'a str>,
}

impl Runner<'_> {
    /// Trains and judges a seed. One that is finished is only judged, one that was interrupted goes on.
    pub(super) fn measure(&self, seed: u64) -> Result<Measured> {
        let name = format!("{}-seed-{seed}", self.system.name);
        let run = self.runs.join(&name);
        let record = self
            .record(&run)
            .with_context(|| format!("beginning seed {seed}"))?;
        self.train(seed, &name, &run)
            .with_context(|| format!("training seed {seed}"))?;
        let (summary, config) = (
            read(&run.join("result.json"))?,
            read(&run.join("config.json"))?,
        );
        let text = |of: &Value, key: &str| of[key].as_str().unwrap_or("unknown").to_string();
        Ok(Measured {
            judged: self
                .judge(&run)
                .with_context(|| format!("judging seed {seed}"))?,
            seconds: summary["seconds"]
                .as_f64()
                .context("result.json has no seconds")?,
            hardware: format!(
                "{} ({})",
                text(&config, "device"),
                text(&record, "processor")
            ),
            commit: text(&record, "commit"),
            sample: summary["sample"] == true,
        })
    }

    /// What stands beside the run's folder: by what it is trained, and where. A run that this command did not begin, or
    /// not with these arguments and by the preset as it is, is left alone.
    fn record(&self, run: &Path) -> Result<Value> {
        let file = run.with_extension("json");
        let other = "choose another folder by --runs";
        let preset = preset(self.system.name)?;
        if file.exists() {
            let record = read(&file)?;
            let before = &record["training"];
            ensure!(
                *before == json!(self.training),
                "{} was trained with other arguments, {before}: {other}",
                run.display()
            );
            ensure!(
                record["preset"] == json!(preset),
                "{} was trained by a preset {} that has changed since: {other}",
                run.display(),
                self.system.name
            );
            return Ok(record);
        }
        ensure!(
            !run.exists(),
            "{} is a run that this command did not begin: {other}",
            run.display()
        );
        let record = json!({
            "training": self.training, "preset": preset,
            "commit": commit(), "processor": doctor::cpu_model(),
        });
        std::fs::create_dir_all(self.runs)
            .and_then(|()| std::fs::write(&file, format!("{record:#}\n")))
            .with_context(|| format!("writing {}", file.display()))?;
        Ok(record)
    }

    fn train(&self, seed: u64, name: &str, run: &Path) -> Result<()> {
        if run.join("result.json").exists() {
            eprintln!("seed {seed} is trained already: {}", run.display());
            return Ok(());
        }
        let mut command = Command::new(self.siamese);
        command.arg("train");
        if run.join("last.safetensors").exists() {
            command.arg("--resume").arg(run);
        } else {
            let seed = seed.to_string();
            command.args([
                "--preset",
                self.system.name,
                "--seed",
                &seed,
                "--name",
                name,
            ]);
            command.arg("--runs").arg(self.runs).args(&self.training);
        }
        command.args(self.device_arguments());
        let status = command
            // the tables that are printed here are ours
            .stdout(std::io::stderr())
            .status()
            .with_context(|| format!("starting {}", self.siamese.display()))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(130) => bail!("it was interrupted: the same command goes on with it"),
            _ => bail!("it did not succeed: see above"),
        }
    }

    fn device_arguments(&self) -> Vec<&str> {
        self.device
            .iter()
            .flat_map(|device| ["--device", device])
            .collect()
    }

    fn judge(&self, run: &Path) -> Result<Vec<Value>> {
        let evaluate = |arguments: &&[&str]| {
            let mut command = Command::new(self.siamese);
            command
                .arg("evaluate")
                .arg(run)
                .args(*arguments)
                .arg("--json");
            command.args(self.device_arguments());
            let output = command
                .stderr(Stdio::inherit())
                .output()
                .with_context(|| format!("starting {}", self.siamese.display()))?;
            ensure!(output.status.success(), "it did not succeed: see above");
            serde_json::from_slice(&output.stdout).context("reading what siamese evaluate printed")
        };
        self.system.judged.iter().map(evaluate).collect()
    }
}

fn read(path: &Path) -> Result<Value> {
    let reading = || format!("reading {}", path.display());
    let text = std::fs::read(path).with_context(reading)?;
    serde_json::from_slice(&text).with_context(reading)
}

/// A preset as it is written, and what it extends.
fn preset(name: &str) -> Result<String> {
    let file = paths::root()
        .join("crates/siamese-train/presets")
        .join(name)
        .with_extension("toml");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let above = text
        .lines()
        .find_map(|line| line.strip_prefix("extends = "))
        .map(|name| preset(name.trim_matches('"')));
    Ok(text + &above.transpose()?.unwrap_or_default())
}

/// The commit that this is built from, with a plus where files differ from it.
fn commit() -> String {
    let root = paths::root().display().to_string();
    let git = |args: &[&str]| doctor::output_of("git", &[&["-C", &root], args].concat());
    let Some(head) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".into();
    };
    let changed = git(&["status", "--porcelain"]).is_some_and(|text| !text.trim().is_empty());
    format!("{}{}", head.trim(), if changed { "+" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::systems::SYSTEMS;

    #[test]
    fn a_run_of_other_arguments_or_of_a_preset_that_has_changed_is_left_alone() -> Result<()> {
        let runs = std::env::temp_dir().join(format!("siamese-reproduce-{}", std::process::id()));
        let runner = |training: &[&str]| Runner {
            system: &SYSTEMS[0],
            siamese: Path::new("siamese"),
            runs: &runs,
            training: training.iter().map(|word| word.to_string()).collect(),
            device: None,
        };
        let run = runs.join("run");
        let refused = |runner: Runner<'_>| runner.record(&run).map(drop).unwrap_err().to_string();

        let first = runner(&[]).record(&run)?;
        assert_eq!(runner(&[]).record(&run)?, first);
        assert!(refused(runner(&["--time", "1m"])).contains("other arguments"));
        let file = run.with_extension("json");
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, text.replace("epochs = 1", "epochs = 2"))?;
        let error = refused(runner(&[]));
        assert!(error.contains("has changed since"), "{error}");
        std::fs::remove_dir_all(&runs)?;
        Ok(())
    }

    #[test]
    fn a_preset_is_kept_with_what_it_extends() {
        for system in SYSTEMS {
            let text = preset(system.name).unwrap();
            assert!(text.contains("[config"), "{}", system.name);
        }
        let (head, body) = (preset("pet-pairs-head"), preset("pet-pairs-backbone"));
        assert!(head.unwrap().contains(&body.unwrap()));
    }
}
