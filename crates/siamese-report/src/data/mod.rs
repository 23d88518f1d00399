//! The plain data that reports are made of: no model, no tensor, no file.

mod banner;
mod classes;
mod epoch;
mod figure;
mod pairs;
mod run;
mod thumbnail;

pub use banner::{Banner, Level};
pub use classes::{CalledAs, ConfusionMap, EmbeddingMap, Neighbour, Neighbours};
pub use epoch::EpochRow;
pub use figure::SetFigures;
pub(crate) use figure::{Direction, FAMILIES, described, distinct, family, in_words, leading};
pub use pairs::{CalibrationBin, ExamplePair, PairDistances};
pub use run::RunReport;
pub use thumbnail::Thumbnail;
