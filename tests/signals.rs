//! What a training does when it is asked to end, when nobody reads what it says, and when the system gives it less than
//! it needs.
#![cfg(unix)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use support::{siamese, text, tiny_set};
use tempfile::TempDir;

/// A training of the small set, which ends in no foreseeable time unless it is told to by `more`.
fn training(folder: &Path, more: &str) -> Command {
    let mut command = siamese(folder);
    command.args("train tiny.toml --name run".split(' '));
    command.args(more.split_whitespace());
    command
}

/// The same command, started by a shell that does `first` before, with these streams.
fn by_shell(first: &str, command: &Command, streams: &str) -> Command {
    let mut shell = Command::new("sh");
    let line = format!("{first}; exec \"$0\" \"$@\" {streams}");
    shell.args(["-c", &line]).arg(command.get_program());
    shell.args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// A training that has ended its first epoch, and what it says from there on.
struct Running {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    _folder: TempDir,
}

impl Running {
    fn start(first: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        tiny_set(folder.path())?;
        let mut child = by_shell(
            first,
            &training(folder.path(), "--epochs 1000000 --patience 1000000"),
            "",
        )
        .stderr(Stdio::piped())
        .spawn()?;
        let mut said = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut line = String::new();
        while !line.starts_with("epoch") {
            line.clear();
            ensure!(said.read_line(&mut line)? > 0, "it ended: {line}");
        }
        Ok(Self {
            child,
            said,
            _folder: folder,
        })
    }

    /// Sends signals, one right after the other.
    fn send(&self, signals: &[&str]) -> Result<()> {
        let id = self.child.id();
        let kills: Vec<String> = signals.iter().map(|s| format!("kill -{s} {id}")).collect();
        let sent = Command::new("sh")
            .args(["-c", &kills.join(" && ")])
            .status()?;
        ensure!(sent.success(), "no such process");
        Ok(())
    }

    /// Reads a line that begins with this.
    fn says(&mut self, begin: &str) -> Result<()> {
        let mut line = String::new();
        while !line.starts_with(begin) {
            line.clear();
            ensure!(
                self.said.read_line(&mut line)? > 0,
                "it ended before {begin}"
            );
        }
        Ok(())
    }

    /// The exit code, and the rest of what it said.
    fn end(mut self) -> Result<(Option<i32>, String)> {
        let mut rest = String::new();
        self.said.read_to_string(&mut rest)?;
        Ok((self.child.wait()?.code(), rest))
    }
}

/// Whether this process, and so its children, ignore a signal.
fn is_ignored(signal: &str) -> bool {
    let bit = match signal {
        "HUP" => 0,
        "INT" => 1,
        _ => return false,
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> bit & 1 == 1)
}

#[test]
fn every_wish_to_end_leaves_a_checkpoint_and_only_a_second_ctrl_c_ends_at_once() -> Result<()> {
    // of signals at one instant, any may be the first
    for (signals, codes) in [
        (&["TERM", "HUP", "TERM", "INT"][..], &[129, 130, 143][..]),
        (&["INT", "TERM", "HUP"], &[129, 130, 143]),
        (&["HUP", "HUP"], &[129]),
        (&["TERM", "TERM"], &[143]),
        (&["INT"], &[130]),
    ] {
        if signals.iter().all(|signal| is_ignored(signal)) {
            eprintln!("skipped: whoever started the tests ignores {signals:?}");
            continue;
        }
        let run = Running::start(":")?;
        run.send(signals)?;
        let (ended, said) = run.end()?;
        assert!(
            ended.is_some_and(|code| codes.contains(&code)),
            "{signals:?}: {ended:?}: {said}"
        );
        assert!(said.contains("go on with:"), "{signals:?}: {said}");
    }
    Ok(())
}

#[test]
fn signals_that_were_ignored_stay_ignored_as_under_nohup() -> Result<()> {
    let mut run = Running::start("trap '' HUP INT")?;
    run.send(&["HUP", "INT", "INT"])?;
    for _ in 0..30 {
        run.says("epoch")?;
    }
    run.send(&["TERM"])?;
    let (ended, said) = run.end()?;
    assert_eq!(ended, Some(143), "{said}");
    Ok(())
}

/// A training with these streams has to finish, with this exit code.
fn finishes(streams: &str, code: i32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let output = by_shell(":", &training(folder.path(), ""), streams).output()?;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{streams}: {said}");
    assert!(!said.contains("panicked"), "{streams}: {said}");
    for file in ["result.json", "report.html", "README.md"] {
        assert!(
            folder.path().join("runs/run").join(file).exists(),
            "{streams}: {file}"
        );
    }
    Ok(())
}

#[test]
fn streams_that_take_nothing_do_not_stop_a_training() -> Result<()> {
    for streams in [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"] {
        finishes(streams, 0)?;
    }
    if Path::new("/dev/full").exists() {
        finishes("2>/dev/full", 0)?;
        finishes(">/dev/full", 2)?;
        finishes(">/dev/full 2>&1", 2)?;
    }
    Ok(())
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_training() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let mut command = training(folder.path(), "");
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    drop(command);
    drop(reader);
    assert_eq!(child.wait()?.code(), Some(0));
    assert!(folder.path().join("runs/run/result.json").exists());
    Ok(())
}

#[test]
fn a_limit_on_the_size_of_files_is_a_sentence_and_what_was_there_stays_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let whole = training(folder.path(), "").output()?;
    assert!(whole.status.success(), "{}", text(&whole));
    // units of 512 bytes in a POSIX shell, of 1024 in others: less than a checkpoint has in both
    let mut resume = siamese(folder.path());
    resume.args("train --resume runs/run --epochs 9 --patience 9".split(' '));
    let limited = by_shell("ulimit -f 6", &resume, "").output()?;
    let said = text(&limited);
    assert_eq!(limited.status.code(), Some(2), "{said}");
    assert!(
        said.contains("File too large") && said.contains("runs/run/"),
        "{said}"
    );
    let rest = resume.output()?;
    assert!(rest.status.success(), "{}", text(&rest));
    Ok(())
}

#[test]
fn threads_that_cannot_be_started_are_a_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    // a stack that no system has room for
    let output = training(folder.path(), "")
        .env("RUST_MIN_STACK", "1000000000000000")
        .output()?;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("RAYON_NUM_THREADS") && !said.contains("panicked"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_batch_that_no_machine_has_room_for_is_refused_with_one_that_fits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    for more in ["", " --dry-run", " --time 1m"] {
        let output = training(
            folder.path(),
            &format!("--pairs-per-batch 1000000000{more}"),
        )
        .env("SIAMESE_MAX_BATCH", "4000000000")
        .output()?;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        for words in ["batches of at most", "--pairs-per-batch", "--any-memory"] {
            assert!(said.contains(words), "{said}");
        }
        assert!(!folder.path().join("runs").exists());
    }
    Ok(())
}

#[test]
fn arguments_that_are_no_text_are_no_panic() -> Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let odd = OsStr::from_bytes(b"p\xffq");
    fs::rename(folder.path().join("pictures"), folder.path().join(odd))?;
    for before in [
        "train",
        "new",
        "train tiny.toml --name",
        "train --resume",
        "train --config",
        "train --seed",
        "evaluate",
        "evaluate --folder",
        "verify a",
        "compare",
        "fetch",
        "data check --folder",
        "",
    ] {
        let output = siamese(folder.path())
            .args(before.split_whitespace())
            .arg(odd)
            .output()?;
        let said = text(&output);
        assert!(!said.contains("panicked"), "{before}: {said}");
        assert!(
            output.status.code().is_some_and(|code| code != 101),
            "{before}: {said}"
        );
    }
    Ok(())
}
