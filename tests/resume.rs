//! A training whose process is killed, and what another process may do with its folder.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use support::{siamese, small_config, text};

#[test]
fn a_second_resume_is_refused_until_the_first_process_is_gone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 3)?;
    let mut first = siamese(folder.path())
        .args([
            "train", "cifar100", "--source", "sample", "--name", "run", "--config",
        ])
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(first.stderr.take().context("no stderr")?).lines();
    for line in lines {
        if line?.starts_with("epoch   1/3") {
            break;
        }
    }
    let resume = || {
        let mut command = siamese(folder.path());
        command.args(["train", "--resume", "runs/run"]);
        command
    };
    let second = resume().output()?;
    first.kill()?;
    first.wait()?;
    assert!(!second.status.success());
    assert!(
        text(&second).contains("another process is training in runs/run"),
        "{}",
        text(&second)
    );
    let third = resume().output()?;
    assert!(third.status.success(), "{}", text(&third));
    let rows = std::fs::read_to_string(folder.path().join("runs/run/metrics.jsonl"))?;
    assert_eq!(rows.lines().count(), 3, "{rows}");
    Ok(())
}

#[test]
fn killed_at_any_instant_a_run_ends_as_one_never_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 3)?;
    let start = |name: &str| {
        let mut command = siamese(folder.path());
        command.args(["train", "cifar100", "--source", "sample", "--name", name]);
        command.args(["--checkpoint-every", "0.1s", "--config"]);
        command.arg(&config);
        command
    };
    let whole = start("whole").output()?;
    assert!(whole.status.success(), "{}", text(&whole));
    for milliseconds in [500, 1000, 1600, 2300] {
        let place = folder.path().join("runs/killed");
        let mut command = match place.join("config.json").exists() {
            false => start("killed"),
            true => {
                let mut command = siamese(folder.path());
                command.args(["train", "--checkpoint-every", "0.1s", "--resume"]);
                command.arg(place);
                command
            }
        };
        let mut child = command.stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill()?;
        child.wait()?;
    }
    let rest = siamese(folder.path())
        .args(["train", "--resume", "runs/killed"])
        .output()?;
    assert!(rest.status.success(), "{}", text(&rest));
    let of = |name: &str, file: &str| {
        let place = folder.path().join("runs").join(name).join(file);
        std::fs::read(&place).with_context(|| format!("reading {}", place.display()))
    };
    assert!(of("whole", "best.safetensors")? == of("killed", "best.safetensors")?);
    let rows = String::from_utf8(of("killed", "metrics.jsonl")?)?;
    assert_eq!(rows.lines().count(), 3, "{rows}");
    Ok(())
}

#[test]
fn settings_that_make_no_run_leave_no_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    for (settings, named) in [
        (
            vec!["--loss", "contrastive", "--margin", "1e30"],
            "objective.margin",
        ),
        (
            vec!["--loss", "nt_xent", "--monitor", "loss"],
            "stopping.monitor",
        ),
        (vec!["--set", "data.refit=true"], "--refit"),
    ] {
        let output = siamese(folder.path())
            .args([
                "train", "cifar100", "--source", "sample", "--name", "run", "--config",
            ])
            .arg(&config)
            .args(settings)
            .output()?;
        let said = text(&output);
        assert!(!output.status.success() && said.contains(named), "{said}");
        assert!(!folder.path().join("runs").exists(), "{said}");
    }
    Ok(())
}

#[test]
fn a_start_that_failed_is_started_again_by_the_corrected_command() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    let start = || {
        let mut command = siamese(folder.path());
        command.args(["train", "cifar100", "--source", "sample", "--name", "run"]);
        command.arg("--config").arg(&config);
        command
    };
    let failed = start()
        .args(["--set", "optimizer.weight_decay=5e5"])
        .output()?;
    let said = text(&failed);
    assert!(!failed.status.success(), "{said}");
    assert!(
        said.contains("training has diverged") && said.contains("learning_rate"),
        "{said}"
    );
    let corrected = start().output()?;
    assert!(corrected.status.success(), "{}", text(&corrected));
    let again = start().output()?;
    assert!(text(&again).contains("--resume"), "{}", text(&again));
    Ok(())
}
