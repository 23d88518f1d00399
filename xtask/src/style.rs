//! Colour, on a terminal only; [`NO_COLOR`](https://no-color.org) is honoured.

use std::io::IsTerminal;

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    on: bool,
}

/// The style of standard output.
pub(crate) fn stdout() -> Style {
    Style {
        on: wanted(std::io::stdout().is_terminal()),
    }
}

/// The style of standard error.
pub(crate) fn stderr() -> Style {
    Style {
        on: wanted(std::io::stderr().is_terminal()),
    }
}

/// A style without colour.
#[cfg(test)]
pub(crate) fn plain() -> Style {
    Style { on: false }
}

fn wanted(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Style {
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_text_is_left_as_it_is() {
        assert_eq!(plain().bold("plain"), "plain");
        assert_eq!(Style { on: true }.green("go"), "\x1b[32mgo\x1b[0m");
        assert!(!wanted(false));
    }
}
