//! The help: an overview of all commands, and each command's own.

use std::process::ExitCode;

use anyhow::Result;

use crate::style::{self, Style};
use crate::{COMMANDS, Command};

/// Prints what the project is and what can be done with it.
pub(crate) fn overview() -> Result<ExitCode> {
    print!("{}", overview_text(style::stdout()));
    Ok(ExitCode::SUCCESS)
}

/// Prints one command's help.
pub(crate) fn of(command: &Command) -> Result<ExitCode> {
    print!("{}", painted(command.help, style::stdout()));
    Ok(ExitCode::SUCCESS)
}

fn overview_text(style: Style) -> String {
    let width = COMMANDS
        .iter()
        .map(|command| command.name.len())
        .max()
        .unwrap_or(0)
        + 2;
    let mut text = format!(
        "{} learns how alike two images are: Siamese networks in Rust, on Candle.\n\n{} cargo xtask <command> [options]\n",
        style.bold("siamese"),
        style.bold("Usage:"),
    );
    let mut group = "";
    for command in COMMANDS {
        if command.group != group {
            group = command.group;
            text += &format!("\n{}\n", style.bold(group));
        }
        let name = style.green(&format!("{:<width$}", command.name));
        let example = style.cyan(&format!("$ {}", command.example));
        text += &format!("  {name}{}\n  {:width$}{example}\n", command.summary, "");
    }
    text += &format!(
        "\n{}\n  {}:\n  what `siamese` does, which is built first\n  {}\n\nNew here? {} is all it takes: without a network it\n\
         trains on the sample of CIFAR-100 in this repository.\n\
         {} after any command says more.\n",
        style.bold("With data and models of your own"),
        crate::siamese::COMMANDS
            .chunks(8)
            .map(|names| names
                .iter()
                .map(|name| style.green(name))
                .collect::<Vec<_>>()
                .join(", "))
            .collect::<Vec<_>>()
            .join(",\n  "),
        style.cyan("$ cargo xtask train photos/"),
        style.cyan("cargo xtask train-cifar100"),
        style.cyan("--help"),
    );
    text
}

/// Paints a help text by its shape: `Heading:` after a blank line, `$ example`, and the names at the left of a list.
fn painted(text: &str, style: Style) -> String {
    let before = std::iter::once("").chain(text.lines());
    let lines = text.lines().zip(before);
    lines
        .map(|(line, before)| painted_line(line, before.is_empty(), style) + "\n")
        .collect()
}

fn painted_line(line: &str, first_of_paragraph: bool, style: Style) -> String {
    let body = line.trim_start();
    let indent = &line[..line.len() - body.len()];
    if let (Some(usage), 0) = (line.strip_prefix("Usage:"), indent.len()) {
        format!("{}{usage}", style.bold("Usage:"))
    } else if first_of_paragraph && indent.is_empty() && line.ends_with(':') {
        style.bold(line)
    } else if body.starts_with("$ ") {
        format!("{indent}{}", style.cyan(body))
    } else if let (2, Some((name, rest))) = (indent.len(), body.split_once("  ")) {
        format!("{indent}{}  {rest}", style.green(name))
    } else {
        line.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_shows_each_command_with_its_example_in_80_columns() {
        let text = overview_text(style::plain());
        for command in COMMANDS {
            assert!(text.contains(&format!("  {} ", command.name)));
            assert!(text.contains(&format!("$ {}\n", command.example)));
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn no_command_s_help_is_wider_than_100_columns() {
        for command in COMMANDS {
            for line in command.help.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }

    #[test]
    fn painting_changes_no_word() {
        for command in COMMANDS {
            assert_eq!(painted(command.help, style::plain()), command.help);
        }
    }
}
