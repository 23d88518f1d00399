//! What commands say: printing that fails ends the command, and does not panic as the standard library's does.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, exit};

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

/// Writes what standard output still holds back: `code`, or the failure.
pub(crate) fn finish(code: ExitCode) -> ExitCode {
    match io::stdout().flush() {
        Ok(()) => code,
        Err(error) => failure(&error).into(),
    }
}

/// Tells why nothing can be written; a reader that has gone away knows.
pub(crate) fn failure(error: &io::Error) -> u8 {
    if error.kind() != ErrorKind::BrokenPipe {
        tell(format_args!("error: writing to standard output: {error}\n"));
    }
    FAILURE
}
