//! A model looking at pictures that are decoded already: what it sees of each, its embedding, and whether two show the
//! same. It knows no file, and compiles to WebAssembly: `siamese-embed` adds files, `siamese-wasm` a browser.
//!
//! ```
//! use siamese_core::{Distance, Model, Tower, TowerConfig, candle::Device};
//! use siamese_framing::Picture;
//! use siamese_sight::Sight;
//!
//! let tower = Tower::new(TowerConfig::system_c(), 1, &Device::Cpu)?; // nobody trained it
//! let sight = Sight::new(Model::new(tower, Distance::Cosine));
//! let picture = Picture::of_pixels((2, 3, 1), vec![0, 10, 20, 30, 40, 50]).unwrap();
//! let look = sight.look(&picture)?.expect("it is not of faces: all of a picture is seen");
//! assert!(sight.compare(&look, &look)?.distance.abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod faces;
mod framing;
mod look;
mod see;
mod sight;

pub use error::Error;
pub use faces::{FaceFinder, SeenFace};
pub use framing::framing;
pub use look::{Compared, Look, Verdict};
pub use see::Seen;
pub use sight::Sight;
