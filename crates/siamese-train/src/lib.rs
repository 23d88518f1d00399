//! The training loop: optimizers, schedules, early stopping, run folders.

#![doc = include_str!("../README.md")]

mod checkpoint;
mod checks;
mod claim;
mod classes;
pub mod collapse;
mod config;
mod data;
mod diverged;
mod draft;
mod event;
mod finish;
mod folder;
mod frozen;
mod loading;
mod memory;
mod plan;
mod post_mortem;
mod published;
mod request;
mod restore;
mod room;
mod rows;
mod run;
mod schedule;
mod settings;
mod skip;
mod start;
mod step;
mod stopping;
mod summary;
mod together;
mod train;
mod views;
mod world;
mod write_up;

pub use claim::Claim;
pub use config::{
    DataConfig, JudgeConfig, Layer, OnNan, OptimizerConfig, Preset, Progressive, Proposal, Rates,
    Smaller, Start, TrainConfig, Traits,
};
pub use data::{DataRecord, Divided, TestSet, TrainingData};
pub use draft::Draft;
pub use event::{Event, StepEvent};
pub use folder::{RunFolder, RunRecord};
pub use memory::Memory;
pub use plan::Plan;
pub use published::{Ran, published_card};
pub use request::{Outcome, Request};
pub use run::check;
pub use schedule::Schedule;
pub use siamese_kernels::keep_candle_on_one_thread;
/// Where the time of the CPU's kernels goes (`siamese-kernels`).
pub use siamese_kernels::profile;
pub use stopping::{EarlyStopping, Monitor, StoppingConfig, Verdict};
pub use summary::Summary;
pub use together::train_among;
pub use train::train;
