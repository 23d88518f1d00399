//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use siamese_files::legible;

/// How to report what takes a while, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Say nothing.
    Silent,
    /// A bar where standard error is a terminal, a line now and then where it is not.
    #[default]
    Stderr,
}

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

impl Progress {
    /// Says one line.
    pub(crate) fn note(self, line: &str) {
        if self == Self::Stderr {
            say(line);
        }
    }

    /// Starts to report the download of `name`, `size` bytes long.
    pub(crate) fn meter(self, name: &str, size: u64) -> Meter {
        self.start(name, size, Unit::Bytes)
    }

    /// Starts to report the work on `count` images.
    pub fn images(self, name: &str, count: u64) -> Meter {
        let mut meter = self.start(name, count, Unit::Images);
        meter.set(0);
        meter
    }

    fn start(self, name: &str, size: u64, unit: Unit) -> Meter {
        let view = match self {
            Self::Silent => View::Silent,
            Self::Stderr if stderr().is_terminal() => View::Bar(bar(&legible(name), size, unit)),
            Self::Stderr => View::Lines {
                next: Instant::now() + INTERVAL,
            },
        };
        Meter {
            name: legible(name).into_owned(),
            size,
            unit,
            view,
            at: 0,
            started: Instant::now(),
            start: None,
        }
    }
}

/// A line on standard error; where that is full or closed it is let go, which `eprintln!` does not.
fn say(line: &str) {
    writeln!(stderr(), "{}", legible(line)).ok();
}

/// What is counted.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Images,
}

/// Reports how far one download, or one pass over images, is.
pub struct Meter {
    name: String,
    size: u64,
    unit: Unit,
    view: View,
    at: u64,
    started: Instant,
    /// What was there before we started: not to be counted in the rate.
    start: Option<u64>,
}

enum View {
    Silent,
    Bar(ProgressBar),
    Lines { next: Instant },
}

impl Meter {
    /// Says that `at` of them are there.
    pub fn set(&mut self, at: u64) {
        if self.start.is_none() {
            self.start = Some(at);
            if let View::Bar(bar) = &self.view {
                bar.reset_eta();
            }
        }
        self.at = at;
        self.show();
    }

    /// Says that `n` more bytes are there.
    pub(crate) fn advance(&mut self, n: u64) {
        self.set(self.at + n);
    }

    /// Says that it is whole.
    pub fn finish(self) {
        match &self.view {
            View::Silent => {}
            View::Bar(bar) => bar.finish(),
            View::Lines { .. } => say(&self.line(self.started.elapsed())),
        }
    }

    fn show(&mut self) {
        match &mut self.view {
            View::Silent => {}
            View::Bar(bar) => bar.set_position(self.at),
            View::Lines { next } => {
                let now = Instant::now();
                if now >= *next {
                    *next = now + INTERVAL;
                    say(&self.line(now - self.started));
                }
            }
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let arrived = self.at.saturating_sub(self.start.unwrap_or(0));
        let rate = arrived as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = match self.size.saturating_sub(self.at) {
            0 => "done".to_string(),
            _ if arrived == 0 => "no rate yet".to_string(),
            missing => format!("{:.0} s left", missing as f64 / rate),
        };
        let name = &self.name;
        match self.unit {
            Unit::Bytes => {
                let [at, size, rate] = [self.at, self.size, rate as u64].map(HumanBytes);
                format!("{name}: {at} of {size}, {rate}/s, {left}")
            }
            Unit::Images => {
                let [at, size, rate] = [self.at, self.size, rate as u64].map(HumanCount);
                format!("{name}: {at} of {size} images, {rate}/s, {left}")
            }
        }
    }
}

fn bar(name: &str, size: u64, unit: Unit) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr_with_hz(8));
    let template = match unit {
        Unit::Bytes => {
            "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta_precise} left"
        }
        Unit::Images => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta_precise} left",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_time_left_of_what_this_run_fetched() {
        let mut meter = Progress::Silent.meter("train.parquet", 100 << 20);
        meter.set(40 << 20);
        meter.advance(20 << 20);
        assert_eq!(
            meter.line(Duration::from_secs(10)),
            "train.parquet: 60.00 MiB of 100.00 MiB, 2.00 MiB/s, 20 s left"
        );
    }

    #[test]
    fn images_are_counted_as_such() {
        let mut meter = Progress::Silent.images("decoding birds", 100_000);
        meter.set(25_000);
        assert_eq!(
            meter.line(Duration::from_secs(10)),
            "decoding birds: 25,000 of 100,000 images, 2,500/s, 30 s left"
        );
    }

    #[test]
    fn a_line_before_the_first_byte_has_no_rate() {
        let meter = Progress::Silent.meter("train.parquet", 1024);
        let line = meter.line(Duration::ZERO);
        assert_eq!(line, "train.parquet: 0 B of 1.00 KiB, 0 B/s, no rate yet");
    }
}
