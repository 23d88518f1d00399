//! The plain data that reports are made of: no model, no tensor, no file.

mod banner;
mod classes;
mod epoch;
mod figure;
mod pairs;
mod thumbnail;

pub use banner::{Banner, Level};
pub use classes::{ConfusionMap, EmbeddingMap, Neighbour, Neighbours};
pub use epoch::EpochRow;
pub use figure::{Direction, Figure};
pub use pairs::{CalibrationBin, ExamplePair, PairDistances, RocPoint};
pub use thumbnail::Thumbnail;
