//! Self-contained HTML reports, plots and TensorBoard event files of a training run.

#![doc = include_str!("../README.md")]

mod card;
pub mod chart;
mod compare;
mod contact_sheet;
mod data;
mod data_report;
mod error;
mod events;
mod page;
mod projector;
mod run;
mod text;

pub use card::ModelCard;
pub use compare::{CompareReport, ComparedRun};
pub use contact_sheet::{ContactSheet, SheetMatch, SheetProbe};
pub use data::{
    Banner, CalibrationBin, CalledAs, ConfusionMap, EmbeddingMap, EpochRow, ExamplePair, Level,
    Neighbour, Neighbours, PairDistances, RunReport, SetFigures, Thumbnail,
};
pub use data_report::{DataReport, Finding, FindingGroup, Weight};
pub use error::{ReportError, Result};
pub use events::EventWriter;
pub use projector::Projector;
