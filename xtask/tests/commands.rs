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

#[test]
fn alone_it_shows_every_command_without_colour_where_there_is_no_terminal() {
    for args in [&[][..], &["--help"], &["help"]] {
        let (output, stdout, _) = output(xtask(args));
        assert!(output.status.success());
        for command in [
            "train-cifar100",
            "fetch",
            "doctor",
            "ci",
            "bench",
            "torture",
        ] {
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
    for command in [
        "train-cifar100",
        "fetch",
        "doctor",
        "ci",
        "bench",
        "torture",
    ] {
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
