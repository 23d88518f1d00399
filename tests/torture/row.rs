//! A row of the table: how often a fault was tried, what was lost, what was refused.

use std::process::Output;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::support::text;

/// Places that are tried of each kind among the other tests.
const FEW: u64 = 5;

/// How long to go on, where everything is to be tried.
pub(crate) fn minutes() -> Option<Duration> {
    let minutes: f64 = std::env::var("SIAMESE_TORTURE").ok()?.parse().ok()?;
    Some(Duration::from_secs_f64(60.0 * minutes))
}

/// The numbers from 1 to `count`, or some of them, spread evenly.
pub(crate) fn points(count: u64) -> Vec<u64> {
    match minutes() {
        Some(_) => (1..=count).collect(),
        None => (0..FEW).map(|i| 1 + i * (count - 1) / (FEW - 1)).collect(),
    }
}

/// A row in the making.
pub(crate) struct Row {
    fault: String,
    tried: usize,
    refused: usize,
    lost: Vec<String>,
}

impl Row {
    pub(crate) fn new(fault: String) -> Self {
        Self {
            fault,
            tried: 0,
            refused: 0,
            lost: Vec::new(),
        }
    }

    /// One more try.
    pub(crate) fn count(&mut self) {
        self.tried += 1;
    }

    /// One more try, after which the command ended so: a refusal is a sentence, and never a panic.
    pub(crate) fn tried(&mut self, ended: &Output) {
        self.count();
        let said = text(ended);
        match ended.status.code() {
            Some(0) | None => {}
            Some(2) if !said.contains("panicked") => self.refused += 1,
            _ => self.lost.push(format!("{}: {said}", ended.status)),
        }
    }

    /// What became of the run after the last try.
    pub(crate) fn note(&mut self, became: Result<()>, place: impl Fn() -> String) {
        if let Err(error) = became {
            self.lost.push(format!("{}: {error:#}", place()));
        }
    }

    /// Prints the row.
    ///
    /// # Errors
    /// When anything was lost.
    pub(crate) fn print(self) -> Result<()> {
        let Self {
            fault,
            tried,
            refused,
            lost,
        } = self;
        let losses = match lost.len() {
            0 => "nothing".to_string(),
            n => format!("**{n}**"),
        };
        let refusals = match refused {
            0 => "–".to_string(),
            n => format!("{n}, by a sentence"),
        };
        println!("| {fault} | {tried} | {losses} | {refusals} |");
        ensure!(lost.is_empty(), "{fault}:\n{}", lost.join("\n"));
        Ok(())
    }
}
