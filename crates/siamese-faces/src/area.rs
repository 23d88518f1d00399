//! Resizing by area: each pixel is the mean of those under it (adaptive average pooling, PyTorch's `mode="area"`).

use candle_core::{Device, Result, Tensor};

use crate::picture::Rgb;

/// The part of a picture that is resized: rows and columns from, and up to but not including.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub rows: (usize, usize),
    pub columns: (usize, usize),
}

/// The window of pixels under each of `out` places along a side of `side` pixels.
fn windows(side: usize, out: usize) -> Vec<(usize, usize)> {
    let window = |i: usize| (i * side / out, ((i + 1) * side).div_ceil(out));
    (0..out).map(window).collect()
}

/// Rows `rows` of the part of a picture, resized to (`height`, `width`), as the nets take it: (3, rows, width) with
/// values (v − 127.5) / 128.
pub(crate) fn resized(
    picture: &Rgb,
    part: Part,
    (height, width): (usize, usize),
    rows: (usize, usize),
) -> Vec<f32> {
    let (top, left) = (part.rows.0, part.columns.0);
    let down = windows(part.rows.1 - top, height);
    let across = windows(part.columns.1 - left, width);
    let plane = (rows.1 - rows.0) * width;
    let mut out = vec![0.0; 3 * plane];
    let mut sums = vec![0_u32; width * 3];
    for (i, &(first, last)) in down[rows.0..rows.1].iter().enumerate() {
        sums.fill(0);
        for y in first..last {
            let row = picture.row(top + y, left, part.columns.1);
            add_row(&mut sums, row, &across);
        }
        for (x, &(from, to)) in across.iter().enumerate() {
            let pixels = ((to - from) * (last - first)) as f32;
            for channel in 0..3 {
                let mean = sums[x * 3 + channel] as f32 / pixels;
                out[channel * plane + i * width + x] = (mean - 127.5) * 0.007_812_5;
            }
        }
    }
    out
}

/// Adds the sums over a row's windows; 2²⁴ pixels of 255 fit into each.
fn add_row(sums: &mut [u32], row: &[u8], across: &[(usize, usize)]) {
    let (sums, _) = sums.as_chunks_mut::<3>();
    let (row, _) = row.as_chunks::<3>();
    for (sum, &(from, to)) in sums.iter_mut().zip(across) {
        for pixel in &row[from..to] {
            for (sum, &value) in sum.iter_mut().zip(pixel) {
                *sum += u32::from(value);
            }
        }
    }
}

/// Several parts of a picture, each resized to a square of `side` pixels: (N, 3, side, side).
pub(crate) fn squares(picture: &Rgb, parts: &[Part], side: usize) -> Result<Tensor> {
    let square = |&part: &Part| resized(picture, part, (side, side), (0, side));
    let values: Vec<f32> = parts.iter().flat_map(square).collect();
    Tensor::from_vec(values, (parts.len(), 3, side, side), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made so that no two rows, columns or channels are alike.
    fn picture(height: usize, width: usize) -> Vec<u8> {
        (0..height * width * 3)
            .map(|i| (i * i % 251) as u8)
            .collect()
    }

    #[test]
    fn each_pixel_is_the_mean_of_those_under_it() {
        let (height, width) = (7, 5);
        let pixels = picture(height, width);
        let whole = Rgb::new(height, width, &pixels).unwrap();
        let part = Part {
            rows: (1, 7),
            columns: (0, 4),
        };
        let (out_height, out_width) = (4_usize, 3_usize);
        let out = resized(&whole, part, (out_height, out_width), (1, 4));
        for channel in 0..3 {
            for (i, y) in (1..4_usize).enumerate() {
                for x in 0..out_width {
                    let (rows, columns) = (
                        (y * 6 / 4, ((y + 1) * 6).div_ceil(4)),
                        (x * 4 / 3, ((x + 1) * 4).div_ceil(3)),
                    );
                    let mut values = Vec::new();
                    for row in rows.0..rows.1 {
                        for column in columns.0..columns.1 {
                            values.push(f64::from(
                                pixels[((row + 1) * width + column) * 3 + channel],
                            ));
                        }
                    }
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    let expected = (mean - 127.5) / 128.0;
                    let got = f64::from(out[(channel * 3 + i) * out_width + x]);
                    assert!((got - expected).abs() < 1e-6, "{got} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_part_may_grow_as_well_as_shrink() {
        let pixels = picture(2, 3);
        let whole = Rgb::new(2, 3, &pixels).unwrap();
        let part = Part {
            rows: (0, 2),
            columns: (0, 3),
        };
        let out = squares(&whole, &[part], 6).unwrap();
        let first: f32 = out.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0];
        assert_eq!(first, (f32::from(pixels[0]) - 127.5) / 128.0);
    }
}
