//! Files of the Hugging Face hub, through its local cache.
//!
//! The names (addresses, the cache's folders) are [`hf_hub`]'s, and the cache is the standard
//! one, shared with Python's `huggingface_hub`. The transfer is ours: hf-hub 0.5 has no time
//! limits, checks neither the length nor the content of what it downloaded, and takes a server
//! that ignores `Range` for one that resumed.

mod address;
mod agents;
mod answer;
mod cache;
mod client;
mod failure;
mod options;
mod pace;
mod proxies;
mod published;
mod repo;
mod room;
mod roots;
mod transfer;
mod weights;

pub use options::HubOptions;
pub use proxies::Proxies;
pub(crate) use published::fetch_published;
pub(crate) use repo::HubRepo;
pub use weights::{cached_weights, fetch_weights};
