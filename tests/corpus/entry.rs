//! An input with what is expected of the binary, and how it is played.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;

use crate::support::{siamese, workspace};

/// Longer than any command may take, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(30);

/// Where the inputs are kept, if they are to be looked at.
const KEPT: &str = "SIAMESE_CORPUS";

/// What an input is an example of; the numbers are those of the list of faults that began this corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    FewPairs = 1,
    LoneClasses = 3,
    Leaks = 4,
    Swapped = 5,
    OwnSet = 9,
    AllPairs = 10,
    Leavings = 11,
    Formats = 12,
    Transparency = 13,
    DeclaredSize = 14,
    Jpegs = 15,
    PairsFiles = 16,
    Parquet = 17,
    Shards = 18,
    StandIns = 19,
    Npz = 20,
    Names = 21,
    Unwritable = 22,
    TooMuch = 23,
    Endless = 24,
    Commands = 25,
}

/// Writes an input into an empty folder.
pub(crate) type Make = fn(&Path) -> Result<()>;

/// An input, and what is expected of the binary.
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    name: &'static str,
    make: Make,
    command: &'static str,
    code: i32,
    says: &'static [&'static str],
    never: &'static [&'static str],
}

/// An input that a command must accept, with exit code 0; words within `'` are one argument, and U+FFFD
/// stands for a byte that is no UTF-8.
pub(crate) fn entry(kind: Kind, name: &'static str, make: Make, command: &'static str) -> Entry {
    Entry {
        kind,
        name,
        make,
        command,
        code: 0,
        says: &[],
        never: &[],
    }
}

impl Entry {
    /// The command must fail, with these words.
    pub(crate) fn fails(mut self, words: &'static [&'static str]) -> Self {
        self.code = 2;
        self.says(words)
    }

    /// `verify` must tell the two pictures apart, with these words.
    pub(crate) fn differs(mut self, words: &'static [&'static str]) -> Self {
        self.code = 1;
        self.says(words)
    }

    /// Words that must be said.
    pub(crate) fn says(mut self, words: &'static [&'static str]) -> Self {
        self.says = words;
        self
    }

    /// Words that must not be said.
    pub(crate) fn never(mut self, words: &'static [&'static str]) -> Self {
        self.never = words;
        self
    }

    /// The arguments of the command.
    fn arguments(&self) -> impl Iterator<Item = OsString> {
        let pieces = self.command.split('\'').enumerate();
        let words = pieces.flat_map(|(i, piece)| match i % 2 {
            0 => piece.split_whitespace().collect(),
            _ => vec![piece],
        });
        words.map(argument)
    }

    /// Writes the input into `folder`, which must be new, and judges what the command says of it.
    fn play(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder.parent().unwrap_or(folder))?;
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
        (self.make)(folder).context("writing the input")?;
        let (code, said) = self.run(folder)?;
        let command = format!("siamese {}\n{said}", self.command);
        let heard = folder.with_file_name(format!("{}.txt", self.name));
        fs::write(heard, format!("$ {command}exit code {code:?}\n"))?;
        self.judge(code, &said).context(command)
    }

    /// The exit code of the command, and all that it says.
    fn run(&self, folder: &Path) -> Result<(Option<i32>, String)> {
        let work = tempfile::tempdir()?;
        let output = work.path().join("output");
        let file = File::create(&output)?;
        let mut child = siamese(folder)
            .args(self.arguments())
            .env("SIAMESE_CACHE", work.path().join("cache"))
            .env("HF_HOME", work.path().join("hf"))
            .env_remove("SIAMESE_MAX_PIXELS")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = child.try_wait()? {
                let said = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
                // the entry's own name is in it, and would be found for a word
                let here = folder.canonicalize()?.display().to_string();
                return Ok((status.code(), said.replace(&here, ".")));
            }
            sleep(Duration::from_millis(5));
        }
        child.kill()?;
        child.wait()?;
        bail!("siamese {}: still busy after {LIMIT:?}", self.command);
    }

    fn judge(&self, code: Option<i32>, said: &str) -> Result<()> {
        ensure!(!said.contains("panicked"), "a panic");
        ensure!(
            !said.contains(siamese_files::is_illegible),
            "a terminal would obey it: {said:?}"
        );
        ensure!(
            code == Some(self.code),
            "exit code {code:?}, expected {}",
            self.code
        );
        for words in self.says {
            ensure!(said.contains(words), "it does not say {words:?}");
        }
        for words in self.never {
            ensure!(!said.contains(words), "it says {words:?}");
        }
        Ok(())
    }
}

/// An argument, in which U+FFFD stands for a byte that is no UTF-8.
#[cfg(unix)]
fn argument(word: &str) -> OsString {
    let pieces: Vec<&[u8]> = word.split('\u{FFFD}').map(str::as_bytes).collect();
    std::os::unix::ffi::OsStringExt::from_vec(pieces.join(&0xE9))
}

#[cfg(not(unix))]
fn argument(word: &str) -> OsString {
    word.into()
}

/// Plays all entries, side by side, and tells of all that went wrong.
pub(crate) fn play(entries: Vec<(&str, Entry)>) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let kept = std::env::var_os(KEPT).map(|kept| workspace().join(kept));
    let root: PathBuf = kept.unwrap_or_else(|| temporary.path().into());
    let failures: Vec<String> = entries
        .par_iter()
        .filter_map(|(theme, entry)| {
            let folder = root.join(theme).join(entry.name);
            let error = entry.play(&folder).err()?;
            Some(format!(
                "{theme}/{} ({:?}): {error:?}",
                entry.name, entry.kind
            ))
        })
        .collect();
    ensure!(
        failures.is_empty(),
        "{} of {} inputs:\n\n{}",
        failures.len(),
        entries.len(),
        failures.join("\n\n")
    );
    Ok(())
}
