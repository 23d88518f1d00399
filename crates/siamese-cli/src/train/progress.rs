//! A run drawn on the terminal: a bar where there is one, plain lines otherwise.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use siamese_core::Loaded;
use siamese_report::EpochRow;
use siamese_train::{Event, StepEvent};
use siamese_words::counted;

/// Without a terminal, a line within an epoch at most this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Draws the events of a run on standard error.
#[derive(Default)]
pub(crate) struct Progress {
    epoch: RefCell<Option<EpochProgress>>,
}

impl Progress {
    /// Draws an event.
    pub(crate) fn draw(&self, event: &Event) {
        let mut epoch = self.epoch.borrow_mut();
        if let Event::Step(step) = event {
            epoch
                .get_or_insert_with(|| EpochProgress::start(step))
                .step(step);
            return;
        }
        if let Event::Saved(_) = event {
            return; // it is the rule: a line each time would be noise
        }
        if let Some(ended) = epoch.take() {
            ended.bar.finish_and_clear();
        }
        match event {
            Event::Epoch {
                row,
                epochs,
                best,
                left,
            } => eprintln!("{}", epoch_line(row, *epochs, *best, *left)),
            Event::Pretrained { name, loaded } => eprintln!("{}", pretrained_line(name, loaded)),
            Event::Freezing { images } => eprintln!(
                "passing {} images through the frozen part of the tower, once",
                HumanCount(*images as u64)
            ),
            Event::Alarm { epoch, reason } => eprintln!("ALARM in epoch {epoch}: {reason}"),
            Event::Warning(text) => eprintln!("WARNING: {text}"),
            Event::Stopped { patience } => {
                eprintln!(
                    "early stopping: no progress for {}",
                    counted(*patience, "epoch")
                );
            }
            Event::Judging => eprintln!("judging the best weights on the test images"),
            _ => {}
        }
    }

    /// Wipes the bar, so that a line can take its place.
    pub(crate) fn clear(&self) {
        if let Some(epoch) = self.epoch.borrow_mut().take() {
            epoch.bar.finish_and_clear();
        }
    }
}

/// The progress of one epoch.
struct EpochProgress {
    bar: ProgressBar,
    /// Batches that were done when it began, and images since.
    first: usize,
    images: usize,
    started: Instant,
    last_line: Instant,
}

impl EpochProgress {
    fn start(step: &StepEvent) -> Self {
        let first = step.batch - 1;
        let bar = ProgressBar::new(step.batches as u64).with_position(first as u64);
        let template = "{prefix} {bar:28} {pos:>4}/{len} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸ "));
        bar.set_prefix(format!("epoch {:>3}/{}", step.epoch, step.epochs));
        let now = Instant::now();
        Self {
            bar,
            first,
            images: 0,
            started: now,
            last_line: now,
        }
    }

    fn step(&mut self, step: &StepEvent) {
        self.images += step.images;
        let elapsed = self.started.elapsed().as_secs_f64();
        let rate = self.images as f64 / elapsed;
        let steps = (step.batch - self.first) as f64;
        let left = (step.batches - step.batch) as f64 * elapsed / steps;
        let left = HumanDuration(Duration::from_secs_f64(left));
        let loss = match step.loss {
            loss if loss.is_finite() => format!("loss {loss:.4}"),
            _ => String::new(),
        };
        if !self.bar.is_hidden() {
            self.bar
                .set_message(format!("{rate:>6.0} img/s  {loss}  {left:#} left"));
            self.bar.set_position(step.batch as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY && step.batch < step.batches {
            self.last_line = Instant::now();
            let StepEvent { epoch, epochs, .. } = step;
            eprintln!(
                "epoch {epoch:>3}/{epochs}  batch {}/{}  {rate:.0} img/s  {loss}  {left:#} left in this epoch",
                step.batch, step.batches
            );
        }
    }
}

/// Which weights of a file were taken; those that are not all of one kind are named.
fn pretrained_line(name: &str, loaded: &Loaded) -> String {
    let mut line = format!("{} tensors taken from {name}", loaded.taken.len());
    for (names, what) in [
        (&loaded.fresh, "drawn anew"),
        (&loaded.misshapen, "of another shape there, so drawn anew"),
        (&loaded.unused, "there and not used"),
    ] {
        if !names.is_empty() {
            let shown = names[..names.len().min(4)].join(", ");
            let more = if names.len() > 4 { ", …" } else { "" };
            line += &format!("; {} {what}: {shown}{more}", names.len());
        }
    }
    line
}

/// The line of a finished epoch.
fn epoch_line(row: &EpochRow, epochs: usize, best: bool, left: Duration) -> String {
    let figure = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "–".into(),
    };
    let skipped = match row.skipped_steps {
        0 => String::new(),
        n => format!("  skipped {n}"),
    };
    format!(
        "epoch {:>3}/{epochs}  loss {:.4} / {}  AUC {}{}  EER {}  accuracy {}  spread {}  active {}  {} img/s{skipped}  {:#} left",
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
