//! Pictures: the only decoder of the toolkit, and how a picture becomes an image of a set.

mod decode;
mod decoded;
mod file;
mod format;
mod heic;
mod jpeg;
mod limits;
mod looks;
mod resized;
#[cfg(test)]
mod tests;
mod tiff_tags;

pub use decode::{PictureInfo, decode, probe};
pub(crate) use file::limits;
pub use file::{decode_file, looks_of_file, probe_file, read_picture};
pub(crate) use format::is_any_picture_name;
pub use format::{Format, is_picture_name};
pub use limits::{PictureError, PictureLimits};
pub use looks::Looks;
pub(crate) use looks::{HEAD, UNKNOWN, is_text};
pub use resized::{read_image, read_thumbnail};
pub(crate) use siamese_framing::within;
pub use siamese_framing::{Colour, Fit, Framing, Picture};
