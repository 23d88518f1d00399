//! Trainings whose process, disk or streams fail at every place where they can: each must go on to the very model that an
//! undisturbed one makes. Downloads too, whose connection fails besides: each must end with the very files.
//!
//! A shim between the binary and the C library (`shim.c`) counts what is done to the files of a run and does something
//! bad at the operation it is told. It sees all writes, those of other people's libraries included, and needs nothing in
//! the binary: what is tortured is what is shipped.
//!
//! Among the other tests a few places of each kind are tried. `cargo xtask torture --minutes N` sets `SIAMESE_TORTURE`:
//! then all are, random kills fill the minutes, and each test prints its row of the table.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

// its panics end a thread of the server, and the download with a test that fails
#[allow(clippy::unwrap_used)]
#[path = "../../crates/siamese-data/tests/hub_server/mod.rs"]
mod hub_server;

mod bench;
mod ending;
mod hub;
mod place;
mod row;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use bench::{Bench, RESUME, START};
use place::Fault;
use row::{Row, minutes, points};

/// What is done at an operation.
const BAD: [&str; 4] = ["kill", "torn", "cut", "fail"];

#[test]
fn killed_before_any_operation_on_a_file_a_run_goes_on() -> Result<()> {
    at_each_operation("kill", "killed before")
}

#[test]
fn killed_half_way_through_any_operation_on_a_file_a_run_goes_on() -> Result<()> {
    at_each_operation("torn", "killed half-way through")
}

#[test]
fn after_a_power_cut_before_any_operation_on_a_file_a_run_goes_on() -> Result<()> {
    at_each_operation("cut", "power cut (unsynced bytes lost) before")
}

#[test]
fn after_an_error_of_any_operation_on_a_file_a_run_goes_on() -> Result<()> {
    at_each_operation("fail", "input/output error at")
}

/// Does this at the operations of a run, and at those of one that goes on after it was killed half-way.
fn at_each_operation(how: &'static str, said: &str) -> Result<()> {
    let bench = Bench::new()?;
    let operations = bench.count(START)?.operations;
    let mut row = Row::new(format!(
        "{said} each of the {operations} file operations of a run"
    ));
    for at in points(operations) {
        bench.clear()?;
        let ended = bench.faulty(START, &Fault::At(how, at))?;
        row.tried(&ended);
        row.note(bench.go_on_and_compare(), || format!("{how} at {at}"));
    }
    row.print()?;

    let half = operations / 2;
    let interrupt = || -> Result<()> {
        bench.clear()?;
        bench.faulty(START, &Fault::At("kill", half)).map(drop)
    };
    interrupt()?;
    let operations = bench.count(RESUME)?.operations;
    let mut row = Row::new(format!("{said} each of the {operations} of a resumed run"));
    for at in points(operations) {
        interrupt()?;
        let ended = bench.faulty(RESUME, &Fault::At(how, at))?;
        row.tried(&ended);
        row.note(bench.go_on_and_compare(), || {
            format!("{how} at {at} of {half}")
        });
    }
    row.print()
}

/// Sizes of a disk that are tried, from nothing to just too small.
const SIZES: u64 = 58;

#[test]
fn a_disk_that_is_full_is_said_and_the_run_goes_on_when_there_is_room() -> Result<()> {
    let bench = Bench::new()?;
    let bytes = bench.count(START)?.bytes;
    let mut row = Row::new(format!(
        "disk full after so many bytes: {SIZES} sizes up to {bytes}"
    ));
    for i in points(SIZES) {
        bench.clear()?;
        let room = (i - 1) * bytes / SIZES;
        let ended = bench.faulty(START, &Fault::Room(room))?;
        row.tried(&ended);
        let said = support::text(&ended);
        let told = ended.status.success() || said.contains("No space left on device");
        let compared = match told {
            true => bench.go_on_and_compare(),
            false => Err(anyhow::anyhow!("it did not say why: {said}")),
        };
        row.note(compared, || format!("{room} bytes"));
    }
    row.print()
}

#[test]
fn a_file_that_is_written_over_is_the_older_or_the_newer_one() -> Result<()> {
    let bench = Bench::new()?;
    ensure!(bench.run(START)?.status.success());
    for line in [
        "evaluate runs/run --folder pictures --export kept",
        "data check --folder pictures --report kept",
    ] {
        let kept = bench.path("kept");
        let whole = |said: &str| -> Result<Vec<u8>> {
            let ended = bench.run(line)?;
            ensure!(ended.status.success(), "{said}: {}", support::text(&ended));
            Ok(std::fs::read(&kept)?)
        };
        let operations = bench.count(line)?.operations;
        let new = whole("undisturbed")?;
        let words: Vec<&str> = line.split(' ').collect();
        let name = words[words.len() - 2];
        let mut row = Row::new(format!(
            "`{} … {name} FILE` over an older FILE, all four at each operation",
            words[0]
        ));
        for how in BAD {
            for at in points(operations) {
                std::fs::write(&kept, b"older")?;
                let ended = bench.faulty(line, &Fault::At(how, at))?;
                row.tried(&ended);
                let found = std::fs::read(&kept).unwrap_or_default();
                let lost = match found == b"older" || found == new {
                    true => whole("again").and_then(|again| {
                        ensure!(
                            again == new && bench.leftovers()?.is_empty(),
                            "not as before"
                        );
                        Ok(())
                    }),
                    false => Err(anyhow::anyhow!("it is neither: {} bytes", found.len())),
                };
                row.note(lost, || format!("{line}: {how} at {at}"));
            }
        }
        row.print()?;
    }
    Ok(())
}

#[test]
fn asked_to_end_at_random_instants_a_run_goes_on() -> Result<()> {
    let bench = Bench::new()?;
    let mut random = Random(2);
    let mut row = Row::new("SIGINT, SIGTERM or SIGHUP at a random instant".into());
    for i in points(99) {
        bench.clear()?;
        let signal = ["INT", "TERM", "HUP"][i as usize % 3];
        let mut child = bench
            .command(START)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        std::thread::sleep(random.below(bench.whole_time));
        let kill = format!("kill -{signal} {}", child.id());
        Command::new("sh")
            .args(["-c", &kill])
            .stderr(Stdio::null())
            .status()?;
        let status = child.wait()?;
        row.count();
        // before it has begun to train there is nothing to keep, and the signal ends it
        let foreseen = [Some(0), Some(130), Some(143), Some(129)].contains(&status.code());
        let compared = match foreseen || status.signal().is_some_and(|s| [1, 2, 15].contains(&s)) {
            true => bench.go_on_and_compare(),
            false => Err(anyhow::anyhow!("it ended with {status}")),
        };
        row.note(compared, || signal.to_string());
    }
    row.print()
}

#[test]
fn streams_that_are_closed_or_full_cost_nothing() -> Result<()> {
    let bench = Bench::new()?;
    let streams = [
        "<&-",
        ">&-",
        "2>&-",
        ">&- 2>&-",
        ">/dev/full",
        "2>/dev/full",
        ">/dev/full 2>&1",
        "2>&1 | true",
        "2>&1 | head -n 1",
        "| true",
    ];
    let mut row = Row::new("each stream closed, full, or its reader gone".into());
    for streams in streams {
        bench.clear()?;
        let command = bench.command(START);
        let mut shell = Command::new("sh");
        let line = format!("\"$0\" \"$@\" {streams}");
        shell
            .args(["-c", &line])
            .arg(command.get_program())
            .args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        shell.current_dir(bench.path(""));
        row.tried(&shell.output()?);
        row.note(bench.compare(), || streams.to_string());
    }
    row.print()
}

#[test]
fn killed_at_random_instants_again_and_again_a_run_reaches_the_same_model() -> Result<()> {
    let began = Instant::now();
    let bench = Bench::new()?;
    let mut random = Random(1);
    let mut row = Row::new("`kill -9` at random instants, up to four times a run".into());
    for i in 0.. {
        let enough = match minutes() {
            Some(minutes) => began.elapsed() >= minutes && i >= 10,
            None => i >= 6,
        };
        if enough {
            break;
        }
        bench.clear()?;
        for _ in 0..=i % 4 {
            let mut command = bench.next()?;
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            std::thread::sleep(random.below(bench.whole_time));
            child.kill()?;
            child.wait()?;
            row.count();
        }
        row.note(bench.go_on_and_compare(), || format!("run {i}"));
    }
    row.print()
}

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: Duration) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        most.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[test]
fn what_a_run_lost_is_noticed() -> Result<()> {
    let bench = Bench::new()?;
    ensure!(bench.run(START)?.status.success());
    bench.compare().context("undisturbed")?;
    let rows = bench.path("runs/run/metrics.jsonl");
    let text = std::fs::read_to_string(&rows)?;
    std::fs::write(&rows, text.lines().next().unwrap_or_default())?;
    assert!(bench.compare().is_err(), "a row less");
    std::fs::write(&rows, &text)?;
    std::fs::write(bench.path("runs/run/.report.html.1.partial"), "")?;
    assert!(bench.compare().is_err(), "a file more");
    std::fs::remove_file(bench.path("runs/run/.report.html.1.partial"))?;
    let model = bench.path("runs/run/best.safetensors");
    let mut bytes = std::fs::read(&model)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&model, bytes)?;
    assert!(bench.compare().is_err(), "another model");
    Ok(())
}
