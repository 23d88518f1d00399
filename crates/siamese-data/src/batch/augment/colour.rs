//! Colour jitter: brightness, contrast, saturation and hue.

/// Brightness, then contrast, then saturation, as one affine map: with x a value, g its pixel's
/// grey and m the mean of all g, `b·(c·(s·x + (1−s)·g) + (1−c)·m)`.
pub(super) fn colour(
    image: &mut [u8],
    channels: usize,
    brightness: f32,
    contrast: f32,
    saturation: f32,
) {
    let shift = |mean: f32| brightness * (1.0 - contrast) * mean;
    if channels == 3 {
        let own = brightness * contrast * saturation;
        let grey = GREY.map(|weight| brightness * contrast * (1.0 - saturation) * weight);
        let (pixels, _) = image.as_chunks_mut::<3>();
        let shift = shift(mean_grey(pixels));
        let (blocks, rest) = pixels.as_chunks_mut();
        for block in blocks {
            blend(block, own, grey, shift);
        }
        let mut block = [[0; 3]; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        blend(&mut block, own, grey, shift);
        rest.copy_from_slice(&block[..rest.len()]);
    } else {
        let own = brightness * contrast;
        let sum: u64 = image.iter().map(|&x| u64::from(x)).sum();
        let shift = shift(sum as f32 / image.len() as f32);
        for value in image {
            *value = to_byte(own * f32::from(*value) + shift);
        }
    }
}

/// Turns the hue of an RGB image by this share of the circle; value and saturation stay (torchvision's `adjust_hue`).
pub(super) fn turn_hue(image: &mut [u8], share: f32) {
    for pixel in image.as_chunks_mut::<3>().0 {
        let [r, g, b] = pixel.map(f32::from);
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        let chroma = high - low;
        if chroma == 0.0 {
            continue; // grey has no hue
        }
        // in sixths of the circle, from red
        let hue = if high == r {
            (g - b) / chroma
        } else if high == g {
            2.0 + (b - r) / chroma
        } else {
            4.0 + (r - g) / chroma
        };
        let hue = hue + 6.0 * share;
        // how far red, green and blue are below the highest: a trapezium over the circle
        *pixel = [5.0, 3.0, 1.0].map(|place| {
            let at = (place + hue).rem_euclid(6.0);
            to_byte(high - chroma * at.min(4.0 - at).clamp(0.0, 1.0))
        });
    }
}

/// Pixels that are mapped at a time: loops of a fixed length over plain arrays become SIMD.
const BLOCK: usize = 16;

/// `own·x + grey·(r, g, b) + shift` for each of r, g and b.
fn blend(pixels: &mut [[u8; 3]; BLOCK], own: f32, grey: [f32; 3], shift: f32) {
    let bytes = pixels.as_flattened_mut();
    let mut values = [0f32; 3 * BLOCK];
    for (value, &byte) in values.iter_mut().zip(bytes.iter()) {
        *value = f32::from(byte);
    }
    let mut common = [0f32; BLOCK];
    for (common, [r, g, b]) in common.iter_mut().zip(values.as_chunks().0) {
        *common = grey[0] * r + grey[1] * g + grey[2] * b + shift;
    }
    for (pixel, common) in values.as_chunks_mut::<3>().0.iter_mut().zip(common) {
        *pixel = pixel.map(|x| own * x + common);
    }
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = to_byte(value);
    }
}

/// The nearest whole number from 0 to 255.
fn to_byte(x: f32) -> u8 {
    // From 2²³ on an f32 has no digits after the point: adding it rounds, and leaves the whole
    // number in the lowest bits. Unlike a cast, this is SIMD on every CPU.
    (x.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}

/// The shares of red, green and blue in grey (ITU-R BT.601).
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

fn mean_grey(pixels: &[[u8; 3]]) -> f32 {
    let mut sums = [0u64; 3];
    for pixel in pixels {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let weighted = sums
        .iter()
        .zip(GREY)
        .map(|(&sum, weight)| sum as f32 * weight);
    weighted.sum::<f32>() / pixels.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hue_turns_as_torchvisions_does() {
        // F.adjust_hue of these pixels as a uint8 tensor
        let pixels = [
            200, 30, 60, /**/ 10, 220, 90, /**/ 40, 50, 240, /**/ 77, 77, 77,
            /**/ 0, 255, 255,
        ];
        let golden = [
            (
                0.1,
                [
                    200, 102, 30, 10, 220, 216, 150, 40, 240, 77, 77, 77, 0, 102, 255,
                ],
            ),
            (
                -0.27,
                [
                    64, 30, 200, 220, 170, 10, 40, 240, 106, 77, 77, 77, 158, 255, 0,
                ],
            ),
            (
                0.5,
                [
                    30, 200, 170, 220, 10, 140, 240, 230, 40, 77, 77, 77, 255, 0, 0,
                ],
            ),
        ];
        for (share, golden) in golden {
            let mut image = pixels;
            turn_hue(&mut image, share);
            for (got, wanted) in image.iter().zip(golden) {
                assert!(
                    got.abs_diff(wanted) <= 1,
                    "{share}: {image:?}, not {golden:?}"
                );
            }
        }
    }
}
