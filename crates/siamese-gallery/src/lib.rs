//! Stored embeddings: enrol pictures, then identify others and search among them.
//!
//! ```
//! # use siamese_core::{candle::Device, Model, Tower, TowerConfig, Distance};
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! # let tower = Tower::new(TowerConfig::system_c(), 7, &Device::Cpu)?;
//! # let model = Model::new(tower, Distance::Euclidean);
//! # model.save("model.safetensors")?;
//! # for (class, grey) in [("anna", 30u8), ("bert", 220)] {
//! #     std::fs::create_dir_all(format!("photos/{class}"))?;
//! #     image::GrayImage::from_pixel(40, 30, image::Luma([grey])).save(format!("photos/{class}/1.png"))?;
//! # }
//! # image::GrayImage::from_pixel(40, 30, image::Luma([40])).save("probe.png")?;
//! use siamese_data::Pictures;
//! use siamese_embed::Embedder;
//! use siamese_gallery::{Gallery, Identify};
//!
//! let embedder = Embedder::load("model.safetensors", &Device::Cpu)?;
//! let mut people = Gallery::create("people", &embedder)?;
//! people.add(&embedder, &Pictures::open(&["photos"], &Default::default())?, &Default::default(), |_| {})?;
//! let answer = people.identify(&embedder.file("probe.png")?, &Identify::default())?;
//! assert_eq!(answer.matches[0].class, "anna");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A gallery is a folder with an SQLite database, or with the feature `postgres` tables in a PostgreSQL database. What [`Gallery::add`] has acknowledged is on the disk; other processes
//! that have it open see it with their next question. It knows its model, and refuses embeddings of another.
//!
//! Search is exact: distances are those of [`siamese_core::Metric::of`], ties go to the older entry, and the answer is
//! the same for any number of threads. A model that compares by a learned head is searched by that, every pair looked at.

mod about;
mod add;
mod entry;
mod error;
mod exchange;
mod gallery;
mod head_text;
mod identify;
mod packed;
mod place;
mod rebuild;
mod store;
mod together;
mod unknown;

pub use about::{About, ModelAbout};
pub use add::{AddOptions, AddReport, Adding};
pub use entry::{Added, Entry, Filter, Row};
pub use error::{Error, Result};
pub use exchange::Exchanged;
pub use gallery::{Gallery, Match};
pub use identify::{Identified, Identify};
pub use rebuild::{RebuildOptions, Rebuilt};
pub use together::Together;
pub use unknown::Limit;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
