//! A decoded image as 8-bit RGB or grey, what is transparent laid over white.

use image::DynamicImage;

use super::decode::Picture;
use super::framing::Colour;

/// Grey stays grey. Transparent pixels hold any colour: it must not bleed in when they are resized.
pub(super) fn opaque(image: DynamicImage) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let color = image.color();
    let (pixels, colour) = match (color.has_color(), color.has_alpha()) {
        (true, false) => (image.into_rgb8().into_raw(), Colour::Rgb),
        (false, false) => (image.into_luma8().into_raw(), Colour::Grey),
        (true, true) => (over_white::<4>(&image.into_rgba8()), Colour::Rgb),
        (false, true) => (over_white::<2>(&image.into_luma_alpha8()), Colour::Grey),
    };
    Picture {
        height,
        width,
        colour,
        pixels,
    }
}

/// value · α + 255 · (1 − α), α being the last of `C` channels.
fn over_white<const C: usize>(pixels: &[u8]) -> Vec<u8> {
    let (pixels, _) = pixels.as_chunks::<C>();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let opaque = pixels.iter().flat_map(|pixel| {
        let (values, alpha) = (&pixel[..C - 1], pixel[C - 1]);
        values.iter().map(move |&value| blend(value, alpha))
    });
    opaque.collect()
}
