//! Early stopping: keeps the best epoch and ends a run that no longer improves.

use serde::{Deserialize, Serialize};

/// The validation figure that decides which epoch is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Contrastive loss of the validation pairs; smaller is better.
    Loss,
    /// Equal error rate; smaller is better.
    Eer,
    /// Area under the ROC curve; larger is better.
    #[default]
    Auc,
    /// None: every epoch is better than those before it. For a learning rate that ends at 0, where a lucky figure of a few
    /// validation classes would keep weights from the middle of the way.
    Last,
}

impl Monitor {
    /// By how much `value` is better than `best`.
    fn gain(self, value: f64, best: f64) -> f64 {
        match self {
            Self::Loss | Self::Eer => best - value,
            Self::Auc => value - best,
            Self::Last if value.is_nan() => f64::NAN,
            Self::Last => f64::INFINITY,
        }
    }

    /// Whether a figure cannot be beaten.
    fn is_perfect(self, value: f64) -> bool {
        match self {
            Self::Loss | Self::Eer => value <= 0.0,
            Self::Auc => value >= 1.0,
            Self::Last => false,
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoppingConfig {
    /// Epochs without progress that end the run.
    pub patience: usize,
    /// Progress smaller than this does not count: a larger value is stricter.
    pub min_delta: f64,
    /// What is watched.
    pub monitor: Monitor,
}

impl Default for StoppingConfig {
    /// Patience 7 as system C; on the ROC AUC.
    fn default() -> Self {
        Self {
            patience: 7,
            min_delta: 1e-4,
            monitor: Monitor::Auc,
        }
    }
}

/// What an epoch means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The best so far: keep its weights.
    Best,
    /// No progress, but patience is left.
    Wait,
    /// Patience is exhausted.
    Stop,
}

/// The state of early stopping; it is part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    config: StoppingConfig,
    best: Option<(usize, f64)>,
    waited: usize,
}

impl EarlyStopping {
    /// Nothing seen yet.
    pub fn new(config: StoppingConfig) -> Self {
        Self {
            config,
            best: None,
            waited: 0,
        }
    }

    /// Takes in the watched figure of an epoch. A NaN is never progress.
    ///
    /// An epoch is the best when it beats the best one by more than `min_delta`, or whatever its figure by [`Monitor::Last`].
    /// A perfect figure cannot be beaten: then the later of two such epochs is the better one, since it learned longer;
    /// patience runs on.
    ///
    /// ```
    /// use siamese_train::{EarlyStopping, Monitor, StoppingConfig, Verdict};
    /// let config = StoppingConfig { patience: 1, min_delta: 0.01, monitor: Monitor::Loss };
    /// let mut stopping = EarlyStopping::new(config);
    /// assert_eq!(stopping.observe(0, 0.500), Verdict::Best);
    /// assert_eq!(stopping.observe(1, 0.495), Verdict::Stop); // better, but by less than 0.01
    /// ```
    pub fn observe(&mut self, epoch: usize, value: f64) -> Verdict {
        let monitor = self.config.monitor;
        let progress = match self.best {
            None => !value.is_nan(),
            Some((_, best)) => monitor.gain(value, best) > self.config.min_delta,
        };
        if progress {
            self.best = Some((epoch, value));
            self.waited = 0;
            return Verdict::Best;
        }
        self.waited += 1;
        if self.exhausted() {
            return Verdict::Stop;
        }
        if monitor.is_perfect(value) && self.best.is_some_and(|(_, best)| best == value) {
            self.best = Some((epoch, value));
            return Verdict::Best;
        }
        Verdict::Wait
    }

    /// The same past under another patience: a run that goes on may get more of it.
    #[must_use]
    pub fn under(self, config: StoppingConfig) -> Self {
        Self { config, ..self }
    }

    /// Whether patience is at its end.
    pub fn exhausted(&self) -> bool {
        self.waited >= self.config.patience
    }

    /// The best epoch (from 0) and its figure.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.best
    }

    /// Epochs since the best one.
    pub fn waited(&self) -> usize {
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopping(monitor: Monitor, patience: usize, min_delta: f64) -> EarlyStopping {
        EarlyStopping::new(StoppingConfig {
            patience,
            min_delta,
            monitor,
        })
    }

    #[test]
    fn a_larger_min_delta_is_stricter() {
        let series = [0.50, 0.48, 0.46, 0.44, 0.42];
        let stop_at = |min_delta| {
            let mut stopping = stopping(Monitor::Loss, 2, min_delta);
            series
                .iter()
                .enumerate()
                .find(|&(e, &v)| stopping.observe(e, v) == Verdict::Stop)
                .map(|(e, _)| e)
        };
        assert_eq!(stop_at(0.0), None);
        assert_eq!(stop_at(0.015), None);
        assert_eq!(stop_at(0.1), Some(2));
    }

    #[test]
    fn where_the_last_epoch_is_the_model_every_one_that_has_a_figure_is_better() {
        let mut last = stopping(Monitor::Last, 2, 0.1);
        let seen = [0.7, 0.6, f64::NAN, 0.5, 1.0, 0.9].map(|v| last.observe(0, v));
        let mut wanted = [Verdict::Best; 6];
        wanted[2] = Verdict::Wait;
        assert_eq!(seen, wanted);
        assert_eq!(last.waited(), 0);
    }

    #[test]
    fn auc_rises_and_eer_falls() {
        let mut auc = stopping(Monitor::Auc, 3, 0.0);
        assert_eq!(
            [0.6, 0.7, 0.65].map(|v| auc.observe(0, v)),
            [Verdict::Best, Verdict::Best, Verdict::Wait]
        );
        let mut eer = stopping(Monitor::Eer, 3, 0.0);
        assert_eq!(
            [0.4, 0.3, 0.35].map(|v| eer.observe(0, v)),
            [Verdict::Best, Verdict::Best, Verdict::Wait]
        );
    }

    #[test]
    fn progress_renews_patience_and_the_best_epoch_is_kept() {
        let mut stopping = stopping(Monitor::Loss, 2, 0.0);
        for (epoch, value) in [1.0, 2.0, 0.5, 2.0].into_iter().enumerate() {
            assert_ne!(stopping.observe(epoch, value), Verdict::Stop);
        }
        assert_eq!(stopping.best(), Some((2, 0.5)));
        assert_eq!(stopping.observe(4, 0.6), Verdict::Stop);
    }

    #[test]
    fn of_perfect_epochs_the_later_is_kept_until_patience_ends() {
        let mut stopping = stopping(Monitor::Auc, 3, 1e-4);
        let verdicts = [0.9, 1.0, 1.0, 0.99, 1.0].map(|v| stopping.observe(0, v));
        let (best, wait, stop) = (Verdict::Best, Verdict::Wait, Verdict::Stop);
        assert_eq!(verdicts, [best, best, best, wait, stop]);
    }

    #[test]
    fn nan_is_never_progress() {
        let mut stopping = stopping(Monitor::Auc, 2, 0.0);
        assert_eq!(stopping.observe(0, f64::NAN), Verdict::Wait);
        assert_eq!(stopping.observe(1, 0.5), Verdict::Best);
        assert_eq!(stopping.observe(2, f64::NAN), Verdict::Wait);
        assert_eq!(stopping.best(), Some((1, 0.5)));
    }

    #[test]
    fn state_survives_a_round_trip_through_json() -> serde_json::Result<()> {
        let mut stopping = stopping(Monitor::Auc, 2, 0.001);
        stopping.observe(0, 0.712_345_678_901_234_5);
        stopping.observe(1, 0.5);
        let copy: EarlyStopping = serde_json::from_str(&serde_json::to_string(&stopping)?)?;
        assert_eq!(copy, stopping);
        Ok(())
    }
}
