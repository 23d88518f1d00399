//! Trainings by several processes, beside the same by one.
#![cfg(unix)]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use siamese_core::candle::{Device, Tensor, safetensors};
use support::{siamese, text, tiny_set};

/// One of several processes, as a launcher would start it.
fn process(folder: &Path, rank: usize, size: usize, port: u16, arguments: &str) -> Command {
    let mut command = siamese(folder);
    command
        .args(arguments.split_whitespace())
        .env("RANK", rank.to_string())
        .env("LOCAL_RANK", rank.to_string())
        .env("WORLD_SIZE", size.to_string())
        .env("LOCAL_WORLD_SIZE", size.to_string())
        .env("MASTER_ADDR", "127.0.0.1")
        .env("MASTER_PORT", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A port below those that the system hands out by itself, so that no other program is given it before process 0 opens it.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() * 64;
    let mut ports = (0..12_000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let mut ports = ports.by_ref().map(|n| 20_000 + (n % 12_000) as u16);
    let free = ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    free.context("no port is free between 20000 and 32000")
}

fn start(folder: &Path, size: usize, arguments: &str) -> Result<Vec<Child>> {
    let port = free_port()?;
    let one = |rank| Ok(process(folder, rank, size, port, arguments).spawn()?);
    (0..size).map(one).collect()
}

/// Starts `size` processes of this command, and waits for all.
fn together(folder: &Path, size: usize, arguments: &str) -> Result<Vec<Output>> {
    let started = start(folder, size, arguments)?.into_iter();
    started.map(|child| Ok(child.wait_with_output()?)).collect()
}

/// What a run's checkpoint holds of weights that are trained.
fn weights(run: &Path) -> Result<HashMap<String, Tensor>> {
    let mut all = safetensors::load(run.join("last.safetensors"), &Device::Cpu)?;
    all.retain(|name, _| {
        let trained = name.starts_with("tower.") || name.starts_with("objective.");
        trained && !name.contains("running_") && !name.contains("memory")
    });
    Ok(all)
}

/// How far the weights of two runs are apart at most, and how far they are from 0.
fn apart(one: &Path, other: &Path) -> Result<(f32, f32)> {
    let (one, other) = (weights(one)?, weights(other)?);
    ensure!(
        one.len() > 3 && one.len() == other.len(),
        "{} {}",
        one.len(),
        other.len()
    );
    let (mut apart, mut scale) = (0f32, 0f32);
    for (name, a) in &one {
        let b = other.get(name).with_context(|| name.clone())?;
        apart = apart.max((a - b)?.abs()?.max_all()?.to_scalar()?);
        scale = scale.max(a.abs()?.max_all()?.to_scalar()?);
    }
    Ok((apart, scale))
}

fn all_succeed(outputs: &[Output]) -> Result<()> {
    for (rank, output) in outputs.iter().enumerate() {
        ensure!(output.status.success(), "process {rank}: {}", text(output));
        ensure!(
            rank == 0 || text(output).is_empty(),
            "process {rank} says {}",
            text(output)
        );
    }
    Ok(())
}

/// Both arrangements of a batch: sampled pairs, and classes of which all pairs are taken.
const PAIRS: &str = "--set sampler.pairs_per_batch=6";
const CLASSES: &str =
    "--set sampler={kind='per_class',classes=4,images=3} --set objective={kind='sup_con'}";

#[test]
fn two_and_three_processes_train_what_one_does_by_chunks() -> Result<()> {
    for (name, sampler) in [("pairs", PAIRS), ("classes", CLASSES)] {
        for size in [2, 3] {
            let folder = tempfile::tempdir()?;
            tiny_set(folder.path())?;
            let arguments = format!("train tiny.toml {sampler} --name");
            let alone = format!("{arguments} alone --set chunk={}", 12 / size);
            let alone = siamese(folder.path())
                .args(alone.split_whitespace())
                .output()?;
            ensure!(alone.status.success(), "{}", text(&alone));
            let other = format!("{arguments} other --seed 5 --set chunk={}", 12 / size);
            let other = siamese(folder.path())
                .args(other.split_whitespace())
                .output()?;
            ensure!(other.status.success(), "{}", text(&other));
            all_succeed(&together(
                folder.path(),
                size,
                &format!("{arguments} shared"),
            )?)?;
            let run = |name| folder.path().join("runs").join(name);
            let (same, scale) = apart(&run("alone"), &run("shared"))?;
            let (another, _) = apart(&run("alone"), &run("other"))?;
            println!(
                "{name}, {size} processes: {same:e} apart, of {scale}; another seed {another}"
            );
            assert!(same < 1e-4 * scale, "{name}, {size}: {same} of {scale}");
            assert!(
                another > 1e-2 * scale,
                "another seed is no nearer: {another}"
            );
            assert!(run("shared").join("result.json").exists());
        }
    }
    Ok(())
}

#[test]
fn a_lost_process_ends_all_with_a_checkpoint_that_fewer_go_on_from() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let endless = "train tiny.toml --name run --epochs 1000000 --patience 1000000";
    let mut processes = start(folder.path(), 3, endless)?;
    let mut said = BufReader::new(processes[0].stderr.take().context("no stderr")?);
    let mut line = String::new();
    while !line.starts_with("epoch") {
        line.clear();
        ensure!(said.read_line(&mut line)? > 0, "it ended");
    }
    processes[1].kill()?;
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest)?;
    let outputs = processes.into_iter().map(Child::wait_with_output);
    let outputs = outputs.collect::<std::io::Result<Vec<_>>>()?;
    assert_eq!(outputs[0].status.code(), Some(2), "{rest}");
    for words in [
        "process 1 of 3 is gone",
        "last.safetensors was written",
        "--resume",
    ] {
        assert!(rest.contains(words), "{words}: {rest}");
    }
    let third = text(&outputs[2]);
    assert_eq!(outputs[2].status.code(), Some(2), "{third}");
    assert!(
        third.contains("process 1 of 3 is gone") && third.lines().count() == 1,
        "{third}"
    );

    let done = std::fs::read_to_string(folder.path().join("runs/run/metrics.jsonl"))?;
    let epochs = done.lines().count() + 2;
    let go_on = format!("train --resume runs/run --epochs {epochs}");
    let outputs = together(folder.path(), 2, &go_on)?;
    all_succeed(&outputs)?;
    let told = text(&outputs[0]);
    assert!(
        told.contains("going on in 2 processes") && told.contains("3 processes so far"),
        "{told}"
    );
    Ok(())
}

#[test]
fn a_wish_to_end_that_one_process_hears_ends_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let endless = "train tiny.toml --name run --epochs 1000000 --patience 1000000";
    let mut processes = start(folder.path(), 2, endless)?;
    let mut said = BufReader::new(processes[0].stderr.take().context("no stderr")?);
    let mut line = String::new();
    while !line.starts_with("epoch") {
        line.clear();
        ensure!(said.read_line(&mut line)? > 0, "it ended");
    }
    let term = ["-TERM".to_string(), processes[1].id().to_string()];
    ensure!(Command::new("kill").args(term).status()?.success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest)?;
    assert!(rest.contains("go on with:"), "{rest}");
    for mut process in processes {
        assert!(process.wait()?.code().is_some_and(|code| code > 128));
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_a_sentence_in_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    for (arguments, words) in [
        ("train nowhere", "nowhere"),
        (
            "train tiny.toml --set sampler.pairs_per_batch=1",
            "too small for 2 processes",
        ),
        ("train tiny.toml --time 1m", "measure one process"),
    ] {
        for output in together(folder.path(), 2, arguments)? {
            let said = text(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.contains(words) && !said.contains("panicked"),
                "{words}: {said}"
            );
        }
    }
    let half = siamese(folder.path())
        .args(["train", "tiny.toml"])
        .env("RANK", "0")
        .output()?;
    assert!(text(&half).contains("WORLD_SIZE"), "{}", text(&half));
    Ok(())
}
