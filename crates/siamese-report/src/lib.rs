//! Reports of a training run: one self-contained HTML page ([`RunReport`]), several runs side by
//! side ([`CompareReport`]), probes beside what is near ([`ContactSheet`]), the flaws of a data set ([`DataReport`]), a model card ([`ModelCard`]),
//! TensorBoard files ([`EventWriter`], [`Projector`]), and the SVG [`chart`]s they are drawn with.
//!
//! Plain data goes in (figures are those of `siamese-metrics`) and files come out: nothing here knows of models or
//! tensors.
//!
//! ```
//! use siamese_metrics::Figure;
//! use siamese_report::{EpochRow, RunReport, SetFigures};
//!
//! let report = RunReport {
//!     name: "cifar100-quick".into(),
//!     data: "CIFAR-100, 10,000 test images".into(),
//!     figures: vec![SetFigures::new(vec![
//!         Figure::new("roc_auc", 0.873).with_interval(0.868, 0.878),
//!     ])],
//!     epochs: (1..=3)
//!         .map(|epoch| EpochRow { epoch, train_loss: 1.0 / epoch as f64, ..Default::default() })
//!         .collect(),
//!     ..Default::default()
//! };
//! let folder = tempfile::tempdir()?;
//! report.write(folder.path().join("report.html"))?;
//! # anyhow::Ok(())
//! ```

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
