//! The one decoder of pictures: every format, upright, within limits, without transparency; and how a picture becomes
//! an image of a set.

pub(crate) mod decode;
pub(crate) mod error;
pub(crate) mod frame;
pub(crate) mod framing;
mod jpeg;
pub(crate) mod sniff;
