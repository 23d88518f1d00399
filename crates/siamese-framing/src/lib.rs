//! A decoded picture as an image of a set: cropped, padded or stretched, resized, in its colour.
//!
//! It knows no file and no format, so that a picture becomes the same bytes whoever decoded it: `siamese-data`, or a
//! browser that holds a model (`siamese-wasm`).
//!
//! ```
//! use siamese_framing::{Colour, Fit, Framing, Picture};
//!
//! // 2 high, 3 wide, grey
//! let picture = Picture::of_pixels((2, 3, 1), vec![0, 10, 20, 30, 40, 50]).unwrap();
//! let middle = Framing { height: 2, width: 2, colour: Colour::Rgb, fit: Fit::Crop };
//! assert_eq!(picture.frame(&middle).len(), 2 * 2 * 3);
//! ```

mod frame;
mod framing;
mod picture;

pub use framing::{Colour, Fit, Framing};
pub use picture::{Picture, over_white, within};
