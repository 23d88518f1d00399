//! The program as a person meets it: what it prints, what it runs, how it ends.

#![allow(clippy::unwrap_used)] // helpers of tests are no tests to clippy

use std::process::{Command, Output, Stdio};

fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args);
    command
}

fn output(mut command: Command) -> (Output, String, String) {
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stdout, stderr)
}

/// The commands that are xtask's own.
const COMMANDS: [&str; 9] = [
    "train-cifar100",
    "fetch",
    "doctor",
    "ci",
    "bench",
    "reproduce",
    "objectives",
    "page",
    "torture",
];

#[test]
fn alone_it_shows_every_command_without_colour_where_there_is_no_terminal() {
    for args in [&[][..], &["--help"], &["help"]] {
        let (output, stdout, _) = output(xtask(args));
        assert!(output.status.success());
        for command in COMMANDS {
            assert!(
                stdout.contains(&format!("$ cargo xtask {command}")),
                "{command} in {stdout}"
            );
        }
        assert!(!stdout.contains('\x1b'));
    }
}

#[test]
fn each_command_explains_itself_and_runs_nothing() {
    for command in COMMANDS {
        let (help, stdout, _) = output(xtask(&[command, "--help"]));
        assert!(help.status.success(), "{command}");
        assert!(
            stdout.contains(&format!("Usage: cargo xtask {command}")),
            "{stdout}"
        );
    }
}

#[test]
fn a_mistyped_command_ends_with_code_2_and_a_hint() {
    let (output, stdout, stderr) = output(xtask(&["docter"]));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout, "");
    assert_eq!(
        stderr,
        "error: no command `docter`: did you mean `cargo xtask doctor`?\n"
    );
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_is_no_panic() {
    let mut child = xtask(&["--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{stderr}");
}

#[test]
#[cfg(unix)]
fn a_full_device_is_an_error_and_no_panic() {
    for line in [&["--help"][..], &["doctor"], &["doctor", "--json"]] {
        let device = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let Ok(device) = device else {
            return; // not on every system
        };
        let mut command = xtask(line);
        let output = command
            .stdout(device)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {stderr}");
        assert!(
            stderr.contains("writing to standard output"),
            "{line:?}: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{line:?}: {stderr}");
    }
}

#[test]
fn cuda_without_a_build_for_it_is_refused_before_the_build() {
    let mut command = xtask(&["train-cifar100", "--device", "cuda"]);
    command.env("CARGO", "/nowhere/cargo");
    let (output, _, stderr) = output(command);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("--features cuda"), "{stderr}");
}

#[test]
fn doctor_s_json_has_a_row_for_all_that_was_asked_of_it() {
    let (_, stdout, _) = output(xtask(&["doctor", "--json"]));
    for name in [
        "CPU",
        "SIMD",
        "free disk",
        "Rust",
        "GPU",
        "nvcc",
        "downloaded",
        "sample",
    ] {
        assert!(
            stdout.contains(&format!("\"name\": \"{name}\"")),
            "{name} in {stdout}"
        );
    }
}

/// A folder of the test's own with a shell script in it that stands in for cargo; removed when dropped.
#[cfg(unix)]
struct FakeCargo(std::path::PathBuf);

#[cfg(unix)]
impl FakeCargo {
    fn new(test: &str, script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fake = FakeCargo(folder.canonicalize().unwrap());
        std::fs::write(fake.path(), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(fake.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.join("cargo")
    }
}

#[cfg(unix)]
impl Drop for FakeCargo {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
#[cfg(unix)]
fn training_hands_on_arguments_folder_and_exit_code() {
    let cargo = FakeCargo::new(
        "train",
        r#"pwd -P; for arg; do echo "[$arg]"; done; exit 42"#,
    );
    let mut command = xtask(&[
        "train-cifar100",
        "--data",
        "my data",
        "--features",
        "cuda",
        "--resume",
        "../runs/a",
    ]);
    command.env("CARGO", cargo.path()).current_dir(&cargo.0);
    let (output, stdout, stderr) = output(command);

    assert_eq!(output.status.code(), Some(42));
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), cargo.0.to_str());
    let given: Vec<&str> = lines.collect();
    assert_eq!(given[..2], ["[run]", "[--manifest-path]"]);
    let expected = "[--release] [--package] [siamese-cli] [--features] [cuda] [--] \
                    [train] [--data] [my data] [--resume] [../runs/a]";
    assert_eq!(given[3..].join(" "), expected);
    let shown =
        "$ cargo run --release --package siamese-cli --features cuda -- train --data 'my data'";
    assert!(stderr.contains(shown), "{stderr}");
}

#[test]
#[cfg(unix)]
fn the_gate_counts_the_tests_and_names_what_failed() {
    let script = r#"
        case "$1" in
            fmt) exit 1 ;;
            test) echo "test result: ok. 30 passed; 0 failed; 2 ignored; 0 measured"
                  echo "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured" ;;
        esac"#;
    let cargo = FakeCargo::new("gate", script);
    let gate = |steps: &[&str]| {
        let mut command = xtask(&[&["ci"], steps].concat());
        command.env("CARGO", cargo.path());
        output(command)
    };
    let (passed, stdout, _) = gate(&["test"]);
    assert_eq!(passed.status.code(), Some(0));
    assert!(
        stdout.ends_with("All steps passed. 42 tests passed, 0 failed, 2 ignored.\n"),
        "{stdout}"
    );

    let (failed, stdout, _) = gate(&["test", "fmt"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        stdout.ends_with("Failed: fmt. 42 tests passed, 0 failed, 2 ignored.\n"),
        "{stdout}"
    );
}

#[test]
#[cfg(unix)]
fn a_gate_in_which_no_test_ran_is_shut() {
    let cargo = FakeCargo::new("empty", "exit 0");
    let mut command = xtask(&["ci", "test"]);
    command.env("CARGO", cargo.path());
    let (output, stdout, _) = output(command);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("not one test ran"), "{stdout}");
}

/// Stands in for `siamese`: training leaves what a run does, and fails the first time; judging prints figures.
#[cfg(unix)]
const FAKE_SIAMESE: &str = r#"
    case "$1" in
        train) echo "trained by: $*" >&2
               test "$2" = --resume && { echo '{"seconds": 90}' > "$3/result.json"; exit 0; }
               mkdir -p runs/att-faces-seed-3
               echo '{"device": "CPU, 2 threads"}' > runs/att-faces-seed-3/config.json
               touch runs/att-faces-seed-3/last.safetensors
               exit 130 ;;
        evaluate) echo "judged by: $*" >&2
                  echo '{"eer": {"value": 0.03, "interval": {"low": 0.01, "high": 0.05}}, "pairs": {"like": 450}}' ;;
    esac"#;

#[test]
#[cfg(unix)]
fn a_system_is_reproduced_seed_by_seed_and_goes_on_where_it_was_interrupted() {
    let fake = FakeCargo::new("reproduce", FAKE_SIAMESE);
    let reproduce = |more: &[&str]| {
        let path = fake.path().display().to_string();
        let words = ["reproduce", "att-faces", "--seeds", "3", "--binary", &path];
        let mut command = xtask(&[&words, more].concat());
        command.current_dir(&fake.0);
        output(command)
    };
    let (first, stdout, stderr) = reproduce(&["--time", "5m"]);
    assert_eq!((first.status.code(), &*stdout), (Some(1), ""));
    let trained = "trained by: train --preset att-faces --seed 3 --name att-faces-seed-3 --runs runs --time 5m";
    assert!(
        stderr.contains(trained) && stderr.contains("goes on"),
        "{stderr}"
    );

    let (_, stdout, stderr) = reproduce(&["--time", "5m"]);
    assert!(
        stderr.contains("trained by: train --resume runs/att-faces-seed-3\n"),
        "{stderr}"
    );
    let judged = "judged by: evaluate runs/att-faces-seed-3 --pairs all --json";
    assert!(stderr.contains(judged), "{stderr}");
    assert!(
        stdout.contains("| seed 3 | 0.0300 (0.0100 – 0.0500) |"),
        "{stdout}"
    );
    assert!(stdout.contains("CPU, 2 threads"), "{stdout}");

    let (again, stdout, stderr) = reproduce(&["--time", "5m", "--json"]);
    assert!(
        again.status.success() && !stderr.contains("trained by"),
        "{stderr}"
    );
    assert!(stdout.contains("\"reached\": true"), "{stdout}");

    let (other, _, stderr) = reproduce(&["--time", "9m"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        stderr.contains("other arguments") && stderr.contains("--runs"),
        "{stderr}"
    );
}

#[test]
fn the_systems_are_listed_with_what_there_is_to_beat() {
    let (listed, stdout, _) = output(xtask(&["reproduce", "--list"]));
    assert!(listed.status.success());
    assert!(stdout.contains("one-shot accuracy ≥ 0.92"), "{stdout}");
    let (nothing, _, stderr) = output(xtask(&["reproduce"]));
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr.contains("--list"), "{stderr}");
}

/// Where no `siamese` was built there is nothing to run; `cargo test --workspace` builds it.
#[test]
fn a_system_is_trained_and_measured_on_the_sample() {
    let siamese = std::path::Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("siamese");
    if !siamese.is_file() {
        eprintln!("skipped: {} is not built", siamese.display());
        return;
    }
    let folder = std::env::temp_dir().join(format!("xtask-sample-{}", std::process::id()));
    let (siamese, runs) = (siamese.display().to_string(), folder.display().to_string());
    let words = [
        "reproduce",
        "system-c",
        "--binary",
        &siamese,
        "--runs",
        &runs,
        "--seeds",
        "0,5",
        "--",
        "--source",
        "sample",
    ];
    let small = [
        "--epochs=1",
        "--set=judge.test_pairs=400",
        "--set=judge.validation_pairs=400",
        "--set=tower.body.stages=[{ channels = 4, convolutions = 1 }]",
    ];
    let (whole, stdout, stderr) = output(xtask(&[&words[..], &small].concat()));
    let _ = std::fs::remove_dir_all(&folder);
    assert!(whole.status.success(), "{stderr}");
    for row in ["| seed 0 | 0.", "| seed 5 | 0.", "| **mean ± 95 %** | **0."] {
        assert!(stdout.contains(row), "{row} in {stdout}");
    }
    assert!(
        stdout.contains("commit ") && stdout.contains("sample only"),
        "{stdout}"
    );
}
