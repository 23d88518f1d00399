//! `cargo xtask dist`: what a release is made of.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{Usage, cargo, paths, style};

pub(crate) const HELP: &str = "\
Builds `siamese` for a release: one archive with the program, its man pages, completions for every
shell and the licences, and SHA256SUMS beside it, in target/dist.

Usage: cargo xtask dist [options]

On x86-64 Linux the program is static (musl), so that it runs on any distribution and in an empty
container (see the Dockerfile). Wanted for that: rustup target add x86_64-unknown-linux-musl, and a
C compiler for it (Debian: apt install musl-tools).

Options:
  --target TRIPLE    for another target than that; its man pages and completions need a machine
                     that runs it
  -h, --help         this text

Examples:
  $ cargo xtask dist
  $ tar -tzf target/dist/siamese-0.1.0-x86_64-unknown-linux-musl.tar.gz
";

const STATIC: &str = "x86_64-unknown-linux-musl";
const SHELLS: [(&str, &str); 5] = [
    ("bash", "siamese.bash"),
    ("zsh", "_siamese"),
    ("fish", "siamese.fish"),
    ("elvish", "siamese.elv"),
    ("powershell", "_siamese.ps1"),
];
const BESIDE: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let target = match args {
        [] => STATIC,
        [option, target] if option == "--target" => target,
        _ => {
            let message = format!(
                "dist takes `--target TRIPLE` alone, got `{}`",
                args.join(" ")
            );
            return Err(Usage(message).into());
        }
    };
    let program = build(target)?;
    let name = format!("siamese-{}-{target}", env!("CARGO_PKG_VERSION"));
    let dist = paths::target().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fill(&folder, &program)?;
    let archive = format!("{name}.tar.gz");
    pack(&dist, &name, &archive)?;
    let sums = Command::new("sha256sum")
        .arg(&archive)
        .current_dir(&dist)
        .output()
        .context("starting sha256sum")?;
    ensure!(sums.status.success(), "sha256sum failed");
    fs::write(dist.join("SHA256SUMS"), &sums.stdout)?;
    cargo::tell(&dist.join(archive))?;
    Ok(ExitCode::SUCCESS)
}

/// The program without symbols; where it is.
fn build(target: &str) -> Result<PathBuf> {
    let args = ["--package", "siamese-cli", "--release", "--target", target];
    let strip = "CARGO_PROFILE_RELEASE_STRIP";
    cargo::build(&args, |command| command.env(strip, "symbols"))
        .with_context(|| format!("is the target there? rustup target add {target}"))?;
    let exe = if target.contains("windows") {
        ".exe"
    } else {
        ""
    };
    let built = paths::target().join(target).join("release");
    Ok(built.join(format!("siamese{exe}")))
}

/// All that the archive holds.
fn fill(folder: &Path, program: &Path) -> Result<()> {
    let [completions, man] = ["completions", "man"].map(|part| folder.join(part));
    for part in [&completions, &man] {
        fs::create_dir_all(part).with_context(|| format!("making {}", part.display()))?;
    }
    let name = program.file_name().unwrap_or(OsStr::new("siamese"));
    let copies = BESIDE.map(|file| (paths::root().join(file), folder.join(file)));
    for (from, to) in [(program.to_path_buf(), folder.join(name))]
        .into_iter()
        .chain(copies)
    {
        fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
    }
    for (shell, file) in SHELLS {
        let output = Command::new(program)
            .args(["completions", shell])
            .output()
            .with_context(|| format!("starting {}", program.display()))?;
        ensure!(output.status.success(), "no completions for {shell}");
        fs::write(completions.join(file), output.stdout)?;
    }
    spawn(Command::new(program).arg("man").arg(&man))
}

/// The same bytes for the same files: sorted, without owners, and of one time.
fn pack(dist: &Path, name: &str, archive: &str) -> Result<()> {
    let time = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| "0".into());
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .arg(format!("--mtime=@{time}"))
        .args(["-I", "gzip -n9", "-cf", archive, name])
        .current_dir(dist);
    spawn(&mut tar).context("packing wants GNU tar")
}

/// Runs a command, shown first.
fn spawn(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    eprintln!("{}", style::stderr().dim(&format!("$ {}", shown.join(" "))));
    let status = command.status().context("starting it")?;
    ensure!(status.success(), "it failed: see above");
    Ok(())
}
