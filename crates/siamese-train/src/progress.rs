//! Progress on the terminal: a bar where there is one, plain lines otherwise.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use siamese_report::EpochRow;

/// Without a terminal, a line within an epoch at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The progress of one epoch, on standard error.
pub(crate) struct EpochProgress {
    bar: ProgressBar,
    epoch: usize,
    epochs: usize,
    batches: usize,
    first: usize,
    started: Instant,
    last_line: Instant,
}

impl EpochProgress {
    /// Starts at batch `first` of `batches`; `epoch` is counted from 1.
    pub(crate) fn start(epoch: usize, epochs: usize, first: usize, batches: usize) -> Self {
        let bar = ProgressBar::new(batches as u64).with_position(first as u64);
        let template = "{prefix} {bar:28} {pos:>4}/{len} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸ "));
        bar.set_prefix(format!("epoch {epoch:>3}/{epochs}"));
        let now = Instant::now();
        Self {
            bar,
            epoch,
            epochs,
            batches,
            first,
            started: now,
            last_line: now,
        }
    }

    /// After each step: batches done, images in each, and what the last read said.
    pub(crate) fn step(&mut self, done: usize, images: usize, loss: f64) {
        let elapsed = self.started.elapsed().as_secs_f64();
        let steps = (done - self.first) as f64;
        let rate = steps * images as f64 / elapsed;
        let left = (self.batches - done) as f64 * elapsed / steps;
        let left = HumanDuration(Duration::from_secs_f64(left));
        let loss = if loss.is_finite() {
            format!("loss {loss:.4}")
        } else {
            String::new()
        };
        if !self.bar.is_hidden() {
            self.bar
                .set_message(format!("{rate:>6.0} img/s  {loss}  {left:#} left"));
            self.bar.set_position(done as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY && done < self.batches {
            self.last_line = Instant::now();
            let (epoch, epochs, batches) = (self.epoch, self.epochs, self.batches);
            eprintln!(
                "epoch {epoch:>3}/{epochs}  batch {done}/{batches}  {rate:.0} img/s  {loss}  {left:#} left in this epoch"
            );
        }
    }

    /// Wipes the bar, so that a line can take its place.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The line of a finished epoch.
pub(crate) fn epoch_line(row: &EpochRow, epochs: usize, best: bool, left: Duration) -> String {
    let figure = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "–".into(),
    };
    format!(
        "epoch {:>3}/{epochs}  loss {:.4} / {}  AUC {}{}  EER {}  accuracy {}  spread {}  active {}  {} img/s  {:#} left",
        row.epoch,
        row.train_loss,
        figure(row.validation_loss, 4),
        figure(row.roc_auc, 4),
        if best { "*" } else { " " },
        figure(row.eer, 4),
        figure(row.accuracy, 4),
        figure(row.embedding_spread, 2),
        figure(row.active_share, 3),
        figure(row.images_per_second, 0),
        HumanDuration(left),
    )
}
