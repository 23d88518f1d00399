//! What commands say: printing that fails ends the command, and does not panic as the standard library's does.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, exit};
use std::sync::Mutex;

use siamese_files::legible;

/// The exit code of a command that failed.
pub(crate) const FAILURE: u8 = 2;

/// As the standard library's, but a full device ends the command with an error.
macro_rules! print {
    ($($argument:tt)*) => { $crate::output::write(format_args!($($argument)*)) };
}

/// As the standard library's, but a full device ends the command with an error.
macro_rules! println {
    () => { $crate::output::write(format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::output::write(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// As the standard library's, but what nobody can be told is let go.
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::output::tell(format_args!($($argument)*)) };
}

/// As the standard library's, but what nobody can be told is let go.
macro_rules! eprintln {
    () => { $crate::output::tell(format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::output::tell(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// Writes to standard output, [`legible`]; ends the command where that fails.
pub(crate) fn write(what: Arguments) {
    if let Err(error) = io::stdout().write_all(legible(&what.to_string()).as_bytes()) {
        exit(failure(&error).into());
    }
}

/// Writes to standard error, [`legible`], if that is possible.
pub(crate) fn tell(what: Arguments) {
    let text = what.to_string();
    io::stderr().write_all(legible(&text).as_bytes()).ok();
}

/// Why something that was offered could not be written.
static NOT_TAKEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to standard output what is not all that the command is for: where that fails, the command goes on, and tells at
/// its end.
pub(crate) fn offer(text: &str) {
    if let Err(error) = io::stdout().write_all(text.as_bytes())
        && let Ok(mut not_taken) = NOT_TAKEN.lock()
    {
        not_taken.get_or_insert(error);
    }
}

/// Writes what standard output still holds back: `code`, or the failure. A reader that has gone away wanted no more.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    let not_taken = NOT_TAKEN.lock().ok().and_then(|mut error| error.take());
    match not_taken.map_or_else(|| io::stdout().flush(), Err) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => failure(&error).into(),
        _ => code,
    }
}

/// Tells why nothing can be written; a reader that has gone away knows.
pub(crate) fn failure(error: &io::Error) -> u8 {
    if error.kind() != ErrorKind::BrokenPipe {
        tell(format_args!("error: writing to standard output: {error}\n"));
    }
    FAILURE
}
