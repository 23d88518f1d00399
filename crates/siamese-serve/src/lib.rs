//! A model as a web page and a JSON API: compare, identify, search, enrol.

#![doc = include_str!("../README.md")]

mod answer;
mod api;
mod app;
mod batcher;
mod config;
mod error;
mod event;
mod form;
mod gate;
mod guard;
mod judged;
mod listen;
mod meters;
mod occlusion;
mod page;
mod pictures;
mod plane;
mod problem;
mod review;
mod server;

pub use config::{Access, Config, Limits};
pub use error::Error;
pub use event::{Answered, Event};
pub use page::standalone;
pub use review::Review;
pub use server::Server;
