//! What the binary does where nothing can be written, and with whose permissions it writes.
#![cfg(unix)]

mod support;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use support::{picture, siamese, small_config, text};

/// Two classes of fifteen pictures.
fn pictures(folder: &Path) -> Result<()> {
    for (class, colour) in [("cat", 90), ("dog", 170)] {
        fs::create_dir_all(folder.join("pictures").join(class))?;
        for i in 0..15 {
            let file = folder.join(format!("pictures/{class}/{i}.png"));
            picture(&file, [colour, i, 255 - colour])?;
        }
    }
    Ok(())
}

fn full() -> Option<Stdio> {
    let device = OpenOptions::new().write(true).open("/dev/full").ok()?;
    Some(device.into())
}

#[test]
fn no_command_panics_on_a_full_device() -> Result<()> {
    let folder = tempfile::tempdir()?;
    pictures(folder.path())?;
    for line in [
        "--help",
        "--version",
        "train --help",
        "train pictures --print-config",
        "data check --folder pictures",
        "data check --folder pictures --json",
        "evaluate --omniglot-trials",
        "evaluate --omniglot-trials --json",
    ] {
        let command = || {
            let mut command = siamese(folder.path());
            command.args(line.split(' '));
            command
        };
        let (Some(out), Some(both), Some(error)) = (full(), full(), full()) else {
            return Ok(()); // not on every system
        };
        let output = command().stdout(out).stderr(Stdio::piped()).output()?;
        assert_eq!(output.status.code(), Some(2), "{line}: {}", text(&output));
        let said = text(&output);
        assert!(
            said.contains("writing to standard output"),
            "{line}: {said}"
        );
        assert!(!said.contains("panicked"), "{line}: {said}");
        let output = command().stdout(both).stderr(error).output()?;
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
    Ok(())
}

#[test]
fn a_file_on_a_full_device_is_an_error_that_names_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    pictures(folder.path())?;
    let output = siamese(folder.path())
        .args([
            "data",
            "check",
            "--folder",
            "pictures",
            "--report",
            "/dev/full",
        ])
        .output()?;
    let said = text(&output);
    assert!(
        said.contains("/dev/full") && !said.contains("panicked"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(2), "{said}");
    Ok(())
}

#[test]
fn all_that_a_run_leaves_has_the_permissions_that_the_umask_gives() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    let plain = siamese(folder.path());
    let mut command = Command::new("sh");
    command.args(["-c", "umask 027; exec \"$0\" \"$@\""]);
    command.arg(plain.get_program()).current_dir(folder.path());
    let set = plain.get_envs();
    command.envs(set.filter_map(|(name, value)| Some((name, value?))));
    let output = command
        .args(["train", "cifar100", "--name", "run", "--config"])
        .arg(&config)
        .output()?;
    assert!(output.status.success(), "{}", text(&output));
    let (mut open, mut files) = (
        vec![folder.path().join("runs"), folder.path().join("cache")],
        0,
    );
    while let Some(place) = open.pop() {
        let mode = place.metadata()?.mode() & 0o777;
        if place.is_dir() {
            assert_eq!(mode, 0o750, "{}", place.display());
            let inside = fs::read_dir(&place)?.map(|entry| Ok(entry?.path()));
            open.extend(inside.collect::<Result<Vec<_>>>()?);
        } else {
            assert_eq!(mode, 0o640, "{}", place.display());
            files += 1;
        }
    }
    assert!(
        files > 6,
        "a run leaves a model, a checkpoint, a report, a cache"
    );
    Ok(())
}
