//! Where the time of a training went: `--profile`.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use siamese_train::Event;
use siamese_train::profile::{self, Profile};

/// Follows a run, and tells at its end.
pub(super) struct Profiler {
    started: Instant,
    seen: RefCell<Seen>,
}

/// What was measured up to the last epoch's end.
#[derive(Default)]
struct Seen {
    profile: Profile,
    whole: Duration,
    training: f64,
    waited: f64,
}

impl Profiler {
    pub(super) fn start() -> Self {
        profile::start();
        Self {
            started: Instant::now(),
            seen: RefCell::default(),
        }
    }

    pub(super) fn observe(&self, event: &Event) {
        if let Event::Epoch { row, .. } = event {
            let mut seen = self.seen.borrow_mut();
            let seconds = row.seconds.unwrap_or_default();
            seen.profile = profile::read();
            seen.whole = self.started.elapsed();
            seen.training += seconds;
            seen.waited += seconds * row.data_wait_share.unwrap_or_default();
        }
    }

    /// The table, as text; nothing before an epoch has ended.
    pub(super) fn table(&self) -> Option<String> {
        let seen = self.seen.borrow();
        (seen.training > 0.0).then(|| seen.table())
    }
}

impl Seen {
    fn table(&self) -> String {
        let whole = self.whole.as_secs_f64().max(1e-9);
        let share = |seconds: f64| 100.0 * seconds / whole;
        let kernels = self.profile.training().as_secs_f64();
        let optimizer = self.profile.optimizer.as_secs_f64();
        let inference = self.profile.inference.as_secs_f64();
        let rest = self.training - kernels - optimizer - self.waited;
        let mut text = format!(
            "{:>7}  {:>8}  {:>8}  {:>8}  what\n",
            "share", "forward", "backward", "GFLOP/s"
        );
        for unit in &self.profile.units {
            let rate = match unit.multiply_adds {
                0 => String::new(),
                _ => format!("{:.0}", unit.gigaflops()),
            };
            text += &format!(
                "{:>5.1} %  {:>6.1} s  {:>6.1} s  {rate:>8}  {}\n",
                share(unit.total().as_secs_f64()),
                unit.forward.as_secs_f64(),
                unit.backward.as_secs_f64(),
                unit.unit
            );
        }
        for (seconds, what) in [
            (kernels, "the layers above in all"),
            (optimizer, "optimizer"),
            (self.waited, "waiting for images"),
            (
                rest,
                "loss, gradients between chains, figures, checkpoints within an epoch",
            ),
            (inference, "layers, in validation and for norms' statistics"),
            (
                whole - self.training - inference,
                "beginning, validation's figures, checkpoints",
            ),
        ] {
            text += &format!(
                "{:>5.1} %  {seconds:>6.1} s{:24}{what}\n",
                share(seconds),
                ""
            );
        }
        text + &format!(
            "{:.1} % of {whole:.1} s were spent outside of the layers' training\n",
            100.0 - share(kernels)
        )
    }
}

#[cfg(test)]
mod tests {
    use siamese_train::profile::UnitTime;

    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let seconds = Duration::from_secs_f64;
        let unit = UnitTime {
            unit: "conv 3×3".into(),
            images: 1000,
            multiply_adds: 10_000_000,
            forward: seconds(2.0),
            backward: seconds(4.0),
        };
        let seen = Seen {
            profile: Profile {
                units: vec![unit],
                inference: seconds(1.0),
                optimizer: seconds(0.5),
            },
            whole: seconds(10.0),
            training: 8.0,
            waited: 0.5,
        };
        let table = seen.table();
        let line = |what: &str| {
            table
                .lines()
                .find(|line| line.ends_with(what))
                .unwrap_or("")
        };
        assert!(
            line("conv 3×3").starts_with(" 60.0 %     2.0 s     4.0 s        10"),
            "{table}"
        );
        let parts = [
            "in all",
            "optimizer",
            "for images",
            "within an epoch",
            "norms' statistics",
            "figures, checkpoints",
        ];
        let share = |what| {
            line(what)
                .split_whitespace()
                .next()
                .and_then(|s| s.parse::<f64>().ok())
        };
        let sum: f64 = parts
            .map(|what| share(what).unwrap_or(f64::NAN))
            .iter()
            .sum();
        assert!((sum - 100.0).abs() < 0.5, "{table}");
        assert!(table.ends_with("40.0 % of 10.0 s were spent outside of the layers' training\n"));
    }
}
