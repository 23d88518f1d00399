//! Encoded pictures to bytes (H, W, C), on all cores.

use std::path::Path;

use rayon::prelude::*;

use crate::error::DataError;
use crate::folder::stretched;
use crate::picture::{decode, limits};

/// Pictures of one size, one after the other.
pub(crate) struct Decoded {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// (N, H, W, 3)
    pub(crate) pixels: Vec<u8>,
}

/// Decodes `encoded`, rows of the file at `path`, on all cores.
///
/// # Errors
///
/// [`DataError::Damaged`] names the first row that is no picture, or not of the first's size.
pub(crate) fn decode_all(
    encoded: &[impl AsRef<[u8]> + Sync],
    path: &Path,
) -> Result<Decoded, DataError> {
    let limits = limits()?;
    let decode_row = |row: usize| {
        decode(encoded[row].as_ref(), &limits, None)
            .map_err(|error| DataError::damaged(path, format!("row {row}: {error}")))
    };
    if encoded.is_empty() {
        return Err(DataError::damaged(path, "it has no rows"));
    }
    let first = decode_row(0)?;
    let (height, width) = (first.height(), first.width());

    let size = height * width * 3;
    let mut pixels = vec![0; encoded.len() * size];
    pixels
        .par_chunks_exact_mut(size)
        .enumerate()
        .map(|(row, out)| {
            let picture = decode_row(row)?;
            let (h, w) = (picture.height(), picture.width());
            if (h, w) != (height, width) {
                return Err(DataError::damaged(
                    path,
                    format!("row {row} is {h}x{w} pixels, row 0 is {height}x{width}"),
                ));
            }
            out.copy_from_slice(&stretched(&picture, (height, width)));
            Ok(())
        })
        .find_first(Result::is_err)
        .unwrap_or(Ok(()))?;
    Ok(Decoded {
        height,
        width,
        pixels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// 2 high, 3 wide, every corner and channel different.
    const TWO_BY_THREE: [u8; 18] = [
        255, 0, 0, /**/ 10, 20, 30, /**/ 0, 255, 0, //
        0, 0, 255, /**/ 40, 50, 60, /**/ 255, 255, 0,
    ];

    fn png(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image::RgbImage::from_raw(width, height, rgb.to_vec())
            .expect("as many bytes as pixels")
            .write_to(&mut file, image::ImageFormat::Png)
            .expect("a PNG in memory");
        file.into_inner()
    }

    #[test]
    fn rows_columns_and_channels_keep_their_order() {
        let file = png(3, 2, &TWO_BY_THREE);
        let decoded = decode_all(&[&file, &file], Path::new("two.parquet")).unwrap();
        assert_eq!((decoded.height, decoded.width), (2, 3));
        assert_eq!(decoded.pixels, [TWO_BY_THREE, TWO_BY_THREE].concat());
    }

    #[test]
    fn a_transposed_picture_is_an_odd_size_and_named() {
        let files = [png(3, 2, &TWO_BY_THREE), png(2, 3, &TWO_BY_THREE)];
        let error = decode_all(&files, Path::new("odd.parquet")).err().unwrap();
        assert!(
            error
                .to_string()
                .contains("row 1 is 3x2 pixels, row 0 is 2x3"),
            "{error}"
        );
    }

    #[test]
    fn a_cut_picture_is_damage_at_its_row() {
        let whole = png(3, 2, &TWO_BY_THREE);
        let cut = whole[..whole.len() / 2].to_vec();
        let error = decode_all(&[whole, cut], Path::new("cut.parquet"))
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("cut.parquet is damaged: row 1"),
            "{error}"
        );
    }
}
