//! What is transparent is white.

use super::*;

#[test]
fn what_is_transparent_is_white_before_anything_is_resized() {
    // the left half is opaque black, the right one transparent red
    let image = RgbaImage::from_fn(8, 4, |x, _| {
        if x < 4 {
            image::Rgba([0, 0, 0, 255])
        } else {
            image::Rgba([255, 0, 0, 0])
        }
    });
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let picture = decode(&encoded(image.clone(), format), &limits(), None).unwrap();
        assert_eq!(own(&picture, Colour::Rgb)[21..24], [255; 3]);
        let small = picture.frame(&Framing {
            height: 2,
            width: 4,
            colour: Colour::Rgb,
            fit: Fit::Crop,
        });
        assert!(
            small.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]),
            "red bled: {small:?}"
        );
    }
    let half = image::GrayAlphaImage::from_pixel(2, 1, image::LumaA([100, 128]));
    let picture = decode(&encoded(half, ImageFormat::Png), &limits(), None).unwrap();
    assert_eq!(own(&picture, Colour::Grey), [177; 2]);
}

/// Two marks drawn in the same colour on nothing: they differ in what is transparent alone.
fn marks() -> [image::GrayImage; 2] {
    [3, 5].map(|column| {
        GrayImage::from_fn(8, 6, |x, y| {
            image::Luma([u8::from(x == column || y == 2) * 255])
        })
    })
}

/// A PNG of chunks, as the encoder at hand does not write them.
fn png_of(width: u32, height: u32, depth: u8, kind: u8, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, kind, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], body: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(body);
        png.extend((body.len() as u32).to_be_bytes());
        png.extend(name);
        png.extend(body);
        png.extend(crc.sum().to_be_bytes());
    };
    chunk(b"IHDR", &header);
    for (name, body) in chunks {
        chunk(name, body);
    }
    chunk(b"IEND", b"");
    png
}

/// Rows of values, each after its filter 0, deflated.
fn data(rows: &[&[u8]]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for row in rows {
        packer.write_all(&[0]).unwrap();
        packer.write_all(row).unwrap();
    }
    packer.finish().unwrap()
}

#[test]
fn marks_that_differ_in_transparency_alone_differ_in_every_format_and_depth() {
    let written = |mark: &GrayImage| -> Vec<Vec<u8>> {
        let alpha = |x, y| mark.get_pixel(x, y).0[0];
        let rgba = RgbaImage::from_fn(8, 6, |x, y| image::Rgba([0, 0, 0, alpha(x, y)]));
        let grey = image::GrayAlphaImage::from_fn(8, 6, |x, y| image::LumaA([0, alpha(x, y)]));
        let deep = DynamicImage::from(rgba.clone()).into_rgba16();
        let deep_grey = DynamicImage::from(grey.clone()).into_luma_alpha16();
        let rgba = DynamicImage::from(rgba);
        let mut files: Vec<Vec<u8>> = [
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Tiff,
            ImageFormat::Gif,
        ]
        .map(|format| encoded(rgba.clone(), format))
        .into();
        files.push(encoded(grey, ImageFormat::Png));
        files.push(encoded(DynamicImage::from(deep.clone()), ImageFormat::Png));
        files.push(encoded(DynamicImage::from(deep_grey), ImageFormat::Png));
        files.push(encoded(DynamicImage::from(deep), ImageFormat::Tiff));
        files
    };
    let [one, other] = marks().map(|mark| written(&mark));
    for (i, (one, other)) in one.iter().zip(&other).enumerate() {
        let (one, other) = (rgb(one), rgb(other));
        assert_ne!(one, other, "file {i}");
        assert_eq!(
            (one[..3].to_vec(), one[9..12].to_vec()),
            (vec![255; 3], vec![0; 3]),
            "file {i}"
        );
    }
}

#[test]
fn colours_that_a_png_calls_transparent_are_white() {
    // a palette of red and green, the green transparent
    let palette = (b"PLTE", vec![255, 0, 0, 0, 255, 0]);
    let rows = data(&[&[0, 1, 0]]);
    let indexed = png_of(
        3,
        1,
        8,
        3,
        &[palette, (b"tRNS", vec![255, 0]), (b"IDAT", rows)],
    );
    assert_eq!(rgb(&indexed), [255, 0, 0, 255, 255, 255, 255, 0, 0]);
    // grey of 8 and of 16 bits, one value of which is transparent
    let grey = png_of(
        2,
        1,
        8,
        0,
        &[(b"tRNS", vec![0, 7]), (b"IDAT", data(&[&[7, 9]]))],
    );
    assert_eq!(rgb(&grey), [255, 255, 255, 9, 9, 9]);
    let deep = data(&[&[1, 2, 3, 4]]);
    let deep = png_of(2, 1, 16, 0, &[(b"tRNS", vec![1, 2]), (b"IDAT", deep)]);
    assert_eq!(rgb(&deep), [255, 255, 255, 3, 3, 3]);
    // colours, one of which is transparent
    let colours = data(&[&[1, 2, 3, 4, 5, 6]]);
    let colours = png_of(
        2,
        1,
        8,
        2,
        &[(b"tRNS", vec![0, 1, 0, 2, 0, 3]), (b"IDAT", colours)],
    );
    assert_eq!(rgb(&colours), [255, 255, 255, 4, 5, 6]);
}
