//! Judges a trained tower: embeddings of a set, verification, retrieval, and what a report shows of them.

#![doc = include_str!("../README.md")]

mod baseline;
mod drawn;
mod evaluation;
mod few_shot;
mod figure_table;
mod file_pairs;
mod lfw;
mod maps;
mod mirrored;
mod notes;
mod one_shot;
mod other;
mod pairs;
mod pictures;
mod projector;
mod retrieval;
mod sections;
mod sheets;
mod spread;
mod table;
mod threshold;
mod twins;

pub use drawn::{drawn_pairs, fitting_pairs};
pub use evaluation::{EvaluateConfig, Evaluation, evaluate, evaluate_listed};
pub use few_shot::{EpisodeConfig, few_shot_figures};
pub use figure_table::FigureTable;
pub use file_pairs::{FilePairs, LfwResult};
pub use lfw::{lfw_path_pairs, read_lfw_pairs};
pub use mirrored::mirrored_figures;
pub use notes::{seem_swapped, swapped_note};
pub use one_shot::{one_shot_trials, raw_pixel_trials};
pub use pairs::JudgedPairs;
pub use retrieval::Retrieval;
pub use table::{AtThreshold, TableEvaluation, evaluate_table};
pub use threshold::{fit_threshold, halve_classes, target_in_words};
