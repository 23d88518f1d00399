//! Why there is no server, or no page without one.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why there is no server, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It would be open to others, and nobody has said so.
    #[error(
        "on {0} others can reach it: say who may use it by --token (or SIAMESE_TOKEN), or that everybody may by --no-token"
    )]
    Exposed(IpAddr),
    /// A setting that cannot work.
    #[error("{0}")]
    Config(String),
    /// The address is taken, or is none of this machine.
    #[error("listening on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder under review is no set, or cannot be read.
    #[error(transparent)]
    Data(#[from] siamese_data::DataError),
    /// A thread, or the machinery that waits.
    #[error("starting the server")]
    Start(#[from] io::Error),
    /// The model fails on a grey image.
    #[error(transparent)]
    Embed(#[from] siamese_embed::Error),
    /// The gallery is of another model, or cannot be read.
    #[error(transparent)]
    Gallery(#[from] siamese_gallery::Error),
    /// A model that is to be put into a page cannot be written.
    #[error(transparent)]
    Model(#[from] siamese_core::Error),
    /// A page in one file cannot be made.
    #[error("making the page")]
    Page(#[source] io::Error),
}
