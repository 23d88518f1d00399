//! The training loop: optimizers, schedules, early stopping, checkpoints, run folders.
//!
//! [`train`] turns a [`TrainConfig`] and a data set into a run folder with a model, its figures and a report.
//! The same configuration, data and version give the same weights on a CPU, however often the run was
//! interrupted and resumed and however many threads it had.

mod checkpoint;
pub mod collapse;
mod config;
mod finish;
mod folder;
mod paper;
mod progress;
mod schedule;
mod splits;
mod state;
mod step;
mod stopping;
mod train;

pub use config::{LossConfig, LossPairs, OptimizerConfig, TrainConfig};
pub use finish::{Summary, SummaryFigure};
pub use folder::{RunFolder, RunRecord};
pub use schedule::Schedule;
pub use splits::{HeldOut, SplitBy, TestSet};
pub use stopping::{EarlyStopping, Monitor, StoppingConfig, Verdict};
pub use train::{Outcome, Request, train};
