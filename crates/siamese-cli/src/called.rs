//! How this program was called: the commands that it tells to type begin so.

use std::path::{MAIN_SEPARATOR, Path};

use siamese_files::quoted;

/// What `cargo xtask` sets, so that what is told to type works without an installed program.
const CALLED_AS: &str = "SIAMESE_CALLED_AS";

/// A command line of this program, as it can be typed where it is printed.
pub(crate) fn command<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let words = arguments.into_iter().map(quoted);
    std::iter::once(program())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The command line of this process.
pub(crate) fn own_command() -> String {
    let arguments: Vec<String> = words().skip(1).collect();
    command(arguments.iter().map(String::as_str))
}

/// The words of this process's command line; bytes that are no text are shown as such.
fn words() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned())
}

/// `siamese` where it is on the PATH, else the path that it was called by.
fn program() -> String {
    if let Ok(called) = std::env::var(CALLED_AS) {
        return called;
    }
    let own = words().next().unwrap_or_default();
    match own.contains(MAIN_SEPARATOR) && !is_on_path(&own) {
        true => quoted(&own),
        false => "siamese".into(),
    }
}

/// Whether a shell finds this very file by its name alone.
fn is_on_path(own: &str) -> bool {
    let folder = Path::new(own).parent();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|path| Some(path.as_path()) == folder)
}
