//! Processes that train together: who they are, and what they exchange.

#![doc = include_str!("../README.md")]

mod collective;
mod error;
mod frame;
mod link;
mod meet;
mod place;
mod ring;

pub use collective::Collective;
pub use error::{Error, Result};
pub use place::Place;
pub use ring::{Patience, Ring};
