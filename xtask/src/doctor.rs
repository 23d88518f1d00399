//! `cargo xtask doctor`: what this machine has, and what to do about what it lacks.

mod cuda;
mod data;
mod finding;
mod machine;
mod network;

use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

use crate::style::{self, Style};
use crate::{Usage, suggest};
use finding::{Finding, Status};
pub(crate) use machine::{cpu_model, free_gb};

pub(crate) const HELP: &str = "\
Tells what this machine has for training: cores, memory, SIMD, disk, Rust, CUDA, data; and what
to do about what is missing.

Usage: cargo xtask doctor [options]

Options:
  --network          also try to reach the Hugging Face hub
  --json             the same as JSON, for scripts and bug reports
  -h, --help         this text

Exit code 0 when training can run here, 1 when it cannot.

Examples:
  $ cargo xtask doctor
  $ cargo xtask doctor --network
";

const OPTIONS: [&str; 2] = ["--network", "--json"];

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = args.iter().find(|arg| !OPTIONS.contains(&arg.as_str())) {
        let hint =
            suggest::nearest(unknown, OPTIONS).map(|near| format!(": did you mean `{near}`?"));
        return Err(Usage(format!(
            "doctor has no option `{unknown}`{}",
            hint.unwrap_or_default()
        ))
        .into());
    }
    let asked = |option| args.iter().any(|arg| arg == option);
    let mut findings = machine::findings();
    findings.extend(cuda::findings());
    findings.extend(data::findings());
    if asked("--network") {
        findings.push(network::finding());
    }
    if asked("--json") {
        print!("{}", finding::json(&findings));
    } else {
        let style = style::stdout();
        print!("{}", finding::table(&findings, style));
        println!("\n{}", verdict(&findings, style));
    }
    Ok(ExitCode::from(u8::from(broken(&findings))))
}

fn broken(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.status == Status::Bad)
}

/// What `cargo xtask train-cifar100` would do here.
fn verdict(findings: &[Finding], style: Style) -> String {
    if broken(findings) {
        return style.red("Training cannot run here yet: see ✗ above.");
    }
    let (flags, device) = if cuda::ready(findings) {
        (" --features cuda", "GPU")
    } else {
        ("", "CPU")
    };
    let train = style.cyan(&format!("cargo xtask train-cifar100{flags}"));
    let ready = format!("{} {train} trains on the {device},", style.green("Ready."));
    if data::full_set(findings) {
        format!("{ready} on all 60,000 images.")
    } else {
        format!("{ready}\non CIFAR-100 from the hub or, without a network, on the sample.")
    }
}

/// What a program prints on standard output; none where it is missing or fails.
pub(crate) fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}
