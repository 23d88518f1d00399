//! The same claims on every instruction set, not only on the widest that this machine has.

use std::process::Command;

/// Runs these tests again with the instruction set held at `level`, which is chosen once per process.
fn holds_on(level: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["chains::", "golden::", "ops::", "threads::"])
        .env("SIAMESE_SIMD", level)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on {level}:\n{text}");
    assert!(text.contains("passed"), "no test ran on {level}:\n{text}");
}

#[test]
fn all_of_it_holds_in_portable_code() {
    holds_on("portable");
}

#[test]
fn all_of_it_holds_in_avx2_where_the_machine_has_it() {
    holds_on("avx2");
}
