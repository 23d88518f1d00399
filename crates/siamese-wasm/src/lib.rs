//! A model in a browser: pixels in, distance and verdict out, as WebAssembly without a binding.
//!
//! [`Booth`] is all of it: a model that is loaded once, two pictures that are looked at, one comparison. `exports` hands
//! it to JavaScript, which writes bytes into a buffer and reads answers as JSON. What prepares, embeds and judges is what the
//! command line uses (`siamese-sight`, `siamese-core`), so that both answer alike; a browser only decodes the pictures.
//!
//! ```
//! use siamese_core::{Distance, Model, Tower, TowerConfig, candle::Device};
//! use siamese_wasm::Booth;
//!
//! let tower = Tower::new(TowerConfig::system_c(), 1, &Device::Cpu)?; // nobody trained it
//! let mut booth = Booth::open(&Model::new(tower, Distance::Cosine).to_bytes()?)?;
//! booth.look(0, (2, 3), vec![0; 24])?; // RGBA of 2×3 pixels
//! booth.look(1, (1, 1), vec![200, 0, 0, 255])?;
//! assert!(booth.compare()?.distance > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod booth;
#[cfg(target_arch = "wasm32")]
mod exports;

pub use booth::{Answer, Booth, Error, Glance};
