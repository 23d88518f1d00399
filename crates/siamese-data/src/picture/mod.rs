//! Pictures: the only decoder of the toolkit, and how a picture becomes an image of a set.

mod decode;
mod file;
mod format;
mod frame;
mod framing;
mod heic;
mod jpeg;
mod limits;
mod opaque;
#[cfg(test)]
mod tests;

pub use decode::{Picture, PictureInfo, decode, probe};
pub(crate) use file::decode_file;
pub use file::{probe_file, read_picture};
pub use format::{Format, is_picture_name, looks_like_picture};
pub use framing::{Colour, Fit, Framing};
pub use limits::{PictureError, PictureLimits};
