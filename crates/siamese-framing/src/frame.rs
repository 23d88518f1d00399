//! A picture as an image of a set: cropped, padded or stretched, resized, in its colour.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::framing::{Colour, Fit, Framing};
use crate::picture::Picture;

impl Picture {
    /// The pixels (H, W, C) as `framing` wants them.
    ///
    /// Resized by convolution with the Catmull-Rom cubic, widened when it shrinks so that nothing
    /// aliases. A picture that has the size already keeps its pixels.
    ///
    /// An image without rows or columns has no pixels.
    pub fn frame(&self, framing: &Framing) -> Vec<u8> {
        if framing.image_len() == 0 {
            return Vec::new();
        }
        let grey;
        let picture = if framing.colour == Colour::Grey && self.colour == Colour::Rgb {
            grey = self.to_grey();
            &grey
        } else {
            self
        };
        let size = (framing.height, framing.width);
        let pixels = match framing.fit {
            Fit::Stretch => picture.resized(picture.whole(), size),
            Fit::Crop => picture.resized(picture.middle(size), size),
            Fit::Pad => picture.padded(size),
        };
        if framing.colour == Colour::Rgb && picture.colour == Colour::Grey {
            return pixels.iter().flat_map(|&value| [value; 3]).collect();
        }
        pixels
    }

    /// Y of ITU-R BT.601, in 16-bit fixed point.
    fn to_grey(&self) -> Self {
        let luma = |[r, g, b]: &[u8; 3]| {
            let [r, g, b] = [*r, *g, *b].map(u32::from);
            ((19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16) as u8
        };
        let (pixels, _) = self.pixels.as_chunks();
        Self {
            colour: Colour::Grey,
            pixels: pixels.iter().map(luma).collect(),
            ..*self
        }
    }

    fn whole(&self) -> Part {
        Part {
            top: 0.0,
            left: 0.0,
            height: self.height as f64,
            width: self.width as f64,
        }
    }

    /// The largest part in the middle that has the proportions of `size`.
    fn middle(&self, (height, width): (usize, usize)) -> Part {
        let scale = f64::min(
            self.height as f64 / height as f64,
            self.width as f64 / width as f64,
        );
        let (height, width) = (height as f64 * scale, width as f64 * scale);
        // rounding must not lead past the edge
        let (height, width) = (height.min(self.height as f64), width.min(self.width as f64));
        Part {
            top: (self.height as f64 - height) / 2.0,
            left: (self.width as f64 - width) / 2.0,
            height,
            width,
        }
    }

    fn resized(&self, part: Part, (height, width): (usize, usize)) -> Vec<u8> {
        if part == self.whole() && (height, width) == (self.height, self.width) {
            return self.pixels.clone();
        }
        let kind = match self.colour {
            Colour::Rgb => PixelType::U8x3,
            Colour::Grey => PixelType::U8,
        };
        let cubic = ResizeAlg::Convolution(FilterType::CatmullRom);
        let options = ResizeOptions::new().resize_alg(cubic).crop(
            part.left,
            part.top,
            part.width,
            part.height,
        );
        let mut image = Image::new(width as u32, height as u32, kind);
        let source = ImageRef::new(self.width as u32, self.height as u32, &self.pixels, kind)
            .expect("a picture has as many bytes as pixels and channels");
        Resizer::new()
            .resize(&source, &mut image, &options)
            .expect("the part lies within the picture, and both are of one kind");
        image.into_vec()
    }

    /// Resized to lie within `size`, in the middle, surrounded by the mean of its outline.
    fn padded(&self, (height, width): (usize, usize)) -> Vec<u8> {
        let scale = f64::min(
            height as f64 / self.height as f64,
            width as f64 / self.width as f64,
        );
        let side =
            |length: usize, most: usize| ((length as f64 * scale).round() as usize).clamp(1, most);
        let (h, w) = (side(self.height, height), side(self.width, width));
        let channels = self.colour.channels();
        let inner = self.resized(self.whole(), (h, w));
        let mut image = outline_mean(&inner, (h, w), channels).repeat(height * width);
        let (top, left) = ((height - h) / 2, (width - w) / 2);
        for (row, values) in inner.chunks_exact(w * channels).enumerate() {
            let start = ((top + row) * width + left) * channels;
            image[start..start + values.len()].copy_from_slice(values);
        }
        image
    }
}

/// A part of a picture, in its pixels.
#[derive(Clone, Copy, PartialEq)]
struct Part {
    top: f64,
    left: f64,
    height: f64,
    width: f64,
}

/// The mean colour of the pixels along the four edges.
fn outline_mean(pixels: &[u8], (height, width): (usize, usize), channels: usize) -> Vec<u8> {
    let on_edge = |at: &usize| {
        let (row, column) = (at / width, at % width);
        row == 0 || column == 0 || row + 1 == height || column + 1 == width
    };
    let outline: Vec<usize> = (0..height * width).filter(on_edge).collect();
    let mean = |channel: usize| {
        let values = outline
            .iter()
            .map(|at| u64::from(pixels[at * channels + channel]));
        let (sum, count) = (values.sum::<u64>(), outline.len() as u64);
        ((sum + count / 2) / count) as u8
    };
    (0..channels).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not square, not symmetric, smooth enough that a cubic does not overshoot everywhere.
    fn picture(height: usize, width: usize, colour: Colour) -> Picture {
        let value = |at: usize| {
            let (pixel, channel) = (at / colour.channels(), at % colour.channels());
            let (y, x) = ((pixel / width) as f64, (pixel % width) as f64);
            (128.0 + 60.0 * (x / 5.0 + channel as f64).sin() + 50.0 * (y / 3.0).cos()) as u8
        };
        Picture {
            height,
            width,
            colour,
            pixels: (0..height * width * colour.channels()).map(value).collect(),
        }
    }

    fn framing(height: usize, width: usize, colour: Colour, fit: Fit) -> Framing {
        Framing {
            height,
            width,
            colour,
            fit,
        }
    }

    /// Catmull-Rom's cubic (Keys, a = −0.5).
    fn cubic(x: f64) -> f64 {
        let x = x.abs();
        match x {
            x if x < 1.0 => 1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0,
            x if x < 2.0 => -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0,
            _ => 0.0,
        }
    }

    /// Weights of every source pixel for target pixel `i`.
    fn weights(i: usize, target: usize, start: f64, length: f64, source: usize) -> Vec<f64> {
        let scale = length / target as f64;
        let centre = start + (i as f64 + 0.5) * scale;
        let weight = |j: usize| cubic((j as f64 + 0.5 - centre) / scale.max(1.0));
        let weights: Vec<f64> = (0..source).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    fn naive(picture: &Picture, part: Part, (height, width): (usize, usize)) -> Vec<f64> {
        let c = picture.colour.channels();
        let mut out = Vec::new();
        for i in 0..height {
            let rows = weights(i, height, part.top, part.height, picture.height);
            for j in 0..width {
                let columns = weights(j, width, part.left, part.width, picture.width);
                for k in 0..c {
                    let mut sum = 0.0;
                    for (y, row) in rows.iter().enumerate() {
                        for (x, column) in columns.iter().enumerate() {
                            let value = picture.pixels[(y * picture.width + x) * c + k];
                            sum += row * column * f64::from(value);
                        }
                    }
                    out.push(sum.clamp(0.0, 255.0));
                }
            }
        }
        out
    }

    #[test]
    fn resizing_is_the_naive_convolution_within_a_level() {
        for (target, colour) in [
            ((7, 5), Colour::Rgb),
            ((40, 31), Colour::Grey),
            ((6, 50), Colour::Rgb),
        ] {
            let picture = picture(23, 37, colour);
            for part in [picture.whole(), picture.middle(target)] {
                // the crop is seen by the naive loop as the library does: no pixel outside of it
                let wanted = naive(&picture, part, target);
                let found = picture.resized(part, target);
                for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    let off = (f64::from(*found) - wanted).abs();
                    assert!(
                        off <= 2.0,
                        "{target:?} value {at}: {found}, naively {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_crop_keeps_proportions_and_the_middle() {
        // 4 high, 8 wide: columns 2 to 5 are the middle
        let mut wide = picture(4, 8, Colour::Grey);
        wide.pixels = (0..32).map(|at| (at % 8 * 10) as u8).collect();
        let image = wide.frame(&framing(4, 4, Colour::Grey, Fit::Crop));
        assert_eq!(image[..4], [20, 30, 40, 50]);
        let stretched = wide.frame(&framing(4, 4, Colour::Grey, Fit::Stretch));
        assert!(stretched[0] < 10 && stretched[3] > 60, "{stretched:?}");
    }

    #[test]
    fn padding_surrounds_the_whole_picture_with_the_mean_of_its_outline() {
        let mut wide = picture(2, 4, Colour::Grey);
        wide.pixels = vec![10, 20, 30, 40, 50, 60, 70, 80];
        let image = wide.frame(&framing(4, 4, Colour::Grey, Fit::Pad));
        assert_eq!(image[4..12], wide.pixels[..]);
        assert_eq!(image[..4], [45; 4]);
        assert_eq!(image[12..], [45; 4]);
        // one so thin that it would vanish keeps a column
        let thin = picture(100, 1, Colour::Rgb);
        assert_eq!(thin.frame(&framing(8, 8, Colour::Rgb, Fit::Pad)).len(), 192);
    }

    #[test]
    fn colours_are_converted_as_jpeg_does() {
        let mut red = picture(1, 1, Colour::Rgb);
        red.pixels = vec![255, 0, 0];
        assert_eq!(red.frame(&framing(1, 1, Colour::Grey, Fit::Crop)), [76]);
        let grey = red.to_grey();
        assert_eq!(grey.frame(&framing(1, 1, Colour::Rgb, Fit::Crop)), [76; 3]);
    }
}
