//! How a training is asked to end early: Ctrl-C, a termination, a terminal that goes away.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use anyhow::Result;
use signal_hook::consts::SIGINT;

/// The run ends after the current step, with a checkpoint.
pub(super) static WANTED: AtomicBool = AtomicBool::new(false);
/// The signal that asked for it first.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// Takes over the signals that ask a program to end, but for those that whoever started it had ignored, as `nohup` does.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub(super) fn listen() -> Result<()> {
    use anyhow::Context;
    use signal_hook::consts::{SIGHUP, SIGTERM};
    use signal_hook::iterator::Signals;

    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(wanted.filter(|&signal| !is_ignored(signal)))?;
    let wait = move || signals.forever().for_each(ask);
    let thread = std::thread::Builder::new().name("signals".into());
    thread
        .spawn(wait)
        .context("starting a thread for signals")?;
    Ok(())
}

/// Takes over Ctrl-C.
#[cfg(not(unix))]
pub(super) fn listen() -> Result<()> {
    Ok(ctrlc::set_handler(|| ask(SIGINT))?)
}

/// One wish to end. Only a second Ctrl-C is meant to end the program at once: a service manager sends a hangup after the
/// termination, a terminal that is closed may send two.
fn ask(signal: i32) {
    static PRESSED: AtomicBool = AtomicBool::new(false);
    let pressed = signal == SIGINT && PRESSED.swap(true, Ordering::Relaxed);
    if pressed {
        std::process::exit(128 + SIGINT);
    }
    let first = FIRST.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    WANTED.store(true, Ordering::Relaxed);
    match (signal, first) {
        (SIGINT, _) => eprintln!(
            "\nending after this step, with a checkpoint; press Ctrl-C again to end at once"
        ),
        (_, Ok(_)) => eprintln!("\nending after this step, with a checkpoint"),
        _ => {}
    }
}

/// The exit code of a run that was asked to end, as shells count it: 128 and the signal.
pub(super) fn code() -> ExitCode {
    let signal = match FIRST.load(Ordering::Relaxed) {
        0 => SIGINT,
        signal => signal,
    };
    ExitCode::from(128 + signal as u8)
}

/// Whether a signal is ignored. Where the system does not tell, a hangup is left alone: a run survives being killed.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => ignored_by(&status, signal),
        Err(_) => signal == signal_hook::consts::SIGHUP,
    }
}

/// Looks a signal up in the mask of ignored ones, as Linux tells it.
#[cfg(unix)]
fn ignored_by(status: &str, signal: i32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(all(test, unix))]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGTERM};

    use super::*;

    #[test]
    fn signals_are_looked_up_in_the_mask_of_ignored_ones() {
        let status = "Name:\tsiamese\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001003\n";
        assert!(ignored_by(status, SIGHUP) && ignored_by(status, SIGINT));
        assert!(!ignored_by(status, SIGTERM) && !ignored_by("", SIGHUP));
    }
}
