//! Made pictures of every kind, whole, turned, cut and hostile.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, RgbImage, RgbaImage};

use super::*;

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Pnm,
    ImageFormat::Tiff,
];

fn limits() -> PictureLimits {
    PictureLimits::default()
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Noisy, so that a JPEG of it has data everywhere; neither square nor symmetric.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 7u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 26) as u8;
        let [x, y] = [x as u8, y as u8];
        image::Rgb([
            x.wrapping_mul(3) / 2 + grain,
            y.wrapping_mul(5) / 2 + grain,
            200 - grain,
        ])
    })
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder
        .write_image(
            image,
            image.width(),
            image.height(),
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    bytes
}

fn own(picture: &Picture, colour: Colour) -> Vec<u8> {
    picture.frame(&Framing {
        height: picture.height(),
        width: picture.width(),
        colour,
        fit: Fit::Stretch,
    })
}

fn rgb(bytes: &[u8]) -> Vec<u8> {
    own(&decode(bytes, &limits(), None).unwrap(), Colour::Rgb)
}

fn refused(bytes: &[u8]) -> PictureError {
    decode(bytes, &limits(), None).unwrap_err()
}

#[test]
fn every_format_gives_its_pixels_and_its_size() {
    // few colours, so that a GIF holds them all
    let image = RgbImage::from_fn(40, 30, |x, y| {
        image::Rgb([x as u8 / 8 * 40, y as u8 / 8 * 50, 9])
    });
    for format in FORMATS {
        let bytes = encoded(image.clone(), format);
        let info = probe(&bytes).unwrap();
        assert_eq!(
            (info.height, info.width, info.grey),
            (30, 40, false),
            "{format:?}"
        );
        let found = rgb(&bytes);
        let near =
            |(a, b): (&u8, &u8)| a.abs_diff(*b) <= if format == ImageFormat::Jpeg { 60 } else { 0 };
        assert!(found.iter().zip(image.as_raw()).all(near), "{format:?}");
        assert!(looks_like_picture(&bytes[..64]));
    }
}

#[test]
fn a_cut_file_of_any_kind_is_refused_wherever_it_is_cut() {
    for format in FORMATS {
        let whole = encoded(noise(48, 37), format);
        for share in [3, 30, 60, 90, 98] {
            let cut = &whole[..whole.len() * share / 100];
            assert!(
                decode(cut, &limits(), None).is_err(),
                "{format:?} at {share} %"
            );
        }
    }
}

#[test]
fn all_eight_orientations_are_turned_upright_in_jpeg_png_webp_and_tiff() {
    let upright = DynamicImage::from(RgbImage::from_fn(3, 2, |x, y| {
        image::Rgb([x as u8 * 80, y as u8 * 200, 90])
    }));
    let back = [
        Orientation::NoTransforms,
        Orientation::FlipHorizontal,
        Orientation::Rotate180,
        Orientation::FlipVertical,
        Orientation::Rotate90FlipH,
        Orientation::Rotate270,
        Orientation::Rotate270FlipH,
        Orientation::Rotate90,
    ];
    for (value, back) in (1u8..).zip(back) {
        let mut stored = upright.clone();
        stored.apply_orientation(back);
        // TIFF header, one entry: tag 0x112, SHORT, 1 value
        let exif = [
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" as &[u8],
            &[value, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let (w, h, pixels) = (stored.width(), stored.height(), stored.as_bytes());
        let kind = image::ExtendedColorType::Rgb8;
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        encoder.write_image(pixels, w, h, kind).unwrap();
        let mut webp = Vec::new();
        let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        encoder.write_image(pixels, w, h, kind).unwrap();
        for file in [png, webp] {
            let info = probe(&file).unwrap();
            assert_eq!((info.height, info.width), (2, 3), "orientation {value}");
            assert_eq!(rgb(&file), upright.as_bytes(), "orientation {value}");
        }

        // JPEG changes colours: a large picture, compared by its corners
        let large = upright.resize_exact(48, 32, image::imageops::FilterType::Nearest);
        let mut stored = large.clone();
        stored.apply_orientation(back);
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
        encoder.set_exif_metadata(exif).unwrap();
        encoder
            .write_image(stored.as_bytes(), stored.width(), stored.height(), kind)
            .unwrap();
        let info = probe(&file).unwrap();
        assert_eq!((info.height, info.width), (32, 48), "orientation {value}");
        let found = rgb(&file);
        let off = found
            .iter()
            .zip(large.as_bytes())
            .filter(|(a, b)| a.abs_diff(**b) > 12);
        assert!(off.count() < found.len() / 20, "orientation {value}");
    }
}

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

#[test]
fn sixteen_bits_become_eight_and_grey_stays_grey() {
    let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(3, 2, |x, y| {
        image::Luma([(x * 20_000 + y * 257) as u16])
    });
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Pnm] {
        let bytes = encoded(DynamicImage::ImageLuma16(deep.clone()), format);
        assert!(probe(&bytes).unwrap().grey);
        let picture = decode(&bytes, &limits(), None).unwrap();
        assert_eq!(
            own(&picture, Colour::Grey),
            [0, 78, 156, 1, 79, 157],
            "{format:?}"
        );
        assert_eq!(own(&picture, Colour::Rgb)[3..6], [78; 3]);
    }
    let grey = GrayImage::from_fn(16, 8, |x, _| image::Luma([x as u8 * 10]));
    assert!(probe(&encoded(grey, ImageFormat::Jpeg)).unwrap().grey);
}

#[test]
fn a_jpeg_asked_for_in_grey_is_the_grey_of_its_colours() {
    let bytes = jpeg(&noise(64, 48));
    let framing = Framing {
        height: 48,
        width: 64,
        colour: Colour::Grey,
        fit: Fit::Crop,
    };
    let hinted = decode(&bytes, &limits(), Some(&framing))
        .unwrap()
        .frame(&framing);
    let converted = own(&decode(&bytes, &limits(), None).unwrap(), Colour::Grey);
    let off = hinted
        .iter()
        .zip(&converted)
        .map(|(a, b)| u32::from(a.abs_diff(*b)));
    // colours that a JPEG cannot hold are clipped on one way and not on the other
    assert!(
        off.sum::<u32>() < hinted.len() as u32,
        "a level in the mean"
    );
}

#[test]
fn a_half_jpeg_is_refused_even_with_an_end_marker() {
    let whole = jpeg(&noise(90, 70));
    let start = whole
        .windows(2)
        .position(|two| two == [0xFF, 0xDA])
        .unwrap()
        + 14;
    for share in 1..40 {
        let end = start + (whole.len() - 2 - start) * share / 40;
        assert_eq!(refused(&whole[..end]), PictureError::Cut);
        let ended = [&whole[..end], &[0xFF, 0xD9]].concat();
        assert!(
            decode(&ended, &limits(), None).is_err(),
            "{share}/40 and an end"
        );
    }
    assert!(decode(&whole, &limits(), None).is_ok());
}

/// What libjpeg-turbo wrote of one picture, each with how far its colours are off by in the mean.
const WRITTEN: [(&str, &[u8], f64); 7] = [
    (
        "progressive",
        include_bytes!("../../tests/pictures/progressive.jpg"),
        12.0,
    ),
    (
        "restarts",
        include_bytes!("../../tests/pictures/restarts.jpg"),
        12.0,
    ),
    (
        "restarts 4:4:4",
        include_bytes!("../../tests/pictures/restarts_444.jpg"),
        8.0,
    ),
    (
        "progressive, restarts",
        include_bytes!("../../tests/pictures/progressive_restarts.jpg"),
        12.0,
    ),
    (
        "optimised",
        include_bytes!("../../tests/pictures/optimised.jpg"),
        12.0,
    ),
    (
        "CMYK",
        include_bytes!("../../tests/pictures/cmyk.jpg"),
        12.0,
    ),
    (
        "grey, restarts",
        include_bytes!("../../tests/pictures/grey_restarts.jpg"),
        8.0,
    ),
];

#[test]
fn every_sort_of_jpeg_is_read() {
    let png = decode(
        include_bytes!("../../tests/pictures/picture.png"),
        &limits(),
        None,
    )
    .unwrap();
    for (name, bytes, most) in WRITTEN {
        let picture = decode(bytes, &limits(), None).unwrap();
        assert_eq!((picture.height(), picture.width()), (35, 45), "{name}");
        let colour = if name.starts_with("grey") {
            Colour::Grey
        } else {
            Colour::Rgb
        };
        let (found, wanted) = (own(&picture, colour), own(&png, colour));
        let off: f64 = found
            .iter()
            .zip(&wanted)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum();
        let mean = off / found.len() as f64;
        assert!(mean < most, "{name}: off by {mean:.1} in the mean");
    }
}

#[test]
fn every_sort_of_jpeg_is_refused_when_cut_and_ended() {
    for (name, whole, _) in WRITTEN {
        let start = whole
            .windows(2)
            .position(|two| two == [0xFF, 0xDA])
            .unwrap()
            + 14;
        // the last bytes may hold no more than the padding of the last unit
        for end in start..whole.len() - 4 {
            let ended = [&whole[..end], &[0xFF, 0xD9]].concat();
            let read = decode(&ended, &limits(), None);
            assert!(read.is_err(), "{name}: cut at {end} of {}", whole.len());
        }
    }
}

#[test]
fn what_phones_and_editors_add_to_a_jpeg_changes_nothing() {
    let whole = jpeg(&noise(48, 32));
    let plain = rgb(&whole);
    // a second picture and a trailer after the end, as MPF and phones write
    assert_eq!(
        rgb(&[&whole[..], &whole, b"trailer", &[0; 99]].concat()),
        plain
    );
    // a preview within a note, with an end marker of its own
    let note = [
        &[0xFF, 0xE1],
        &(whole.len() as u16 + 2).to_be_bytes()[..],
        &whole,
    ]
    .concat();
    let previewed = [&whole[..2], &note, &whole[2..]].concat();
    assert_eq!(rgb(&previewed), plain);
    assert_eq!(refused(&previewed[..note.len() + 200]), PictureError::Cut);
    // stray bytes and padding between segments
    let table = whole
        .windows(2)
        .position(|two| two == [0xFF, 0xDB])
        .unwrap();
    let stray = [0, 1, 2, 3, 4, 5, 6, 0xFF, 0xFF];
    assert_eq!(
        rgb(&[&whole[..table], &stray, &whole[table..]].concat()),
        plain
    );
}

#[test]
fn declared_sizes_are_refused_before_anything_is_decoded() {
    let mut png = encoded(noise(3, 2), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = flate2::Crc::new();
    let mut crc = crc;
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert!(
        refused(&png).to_string().contains("60000x60000 pixels"),
        "{}",
        refused(&png)
    );

    let mut bmp = encoded(noise(3, 2), ImageFormat::Bmp);
    bmp.truncate(54);
    for (side, allowed) in [(60_000u32, false), (9_000, true)] {
        bmp[18..22].copy_from_slice(&side.to_le_bytes());
        bmp[22..26].copy_from_slice(&side.to_le_bytes());
        let error = refused(&bmp);
        assert_eq!(
            !matches!(error, PictureError::TooManyPixels { .. }),
            allowed,
            "{error}"
        );
    }

    let mut gif = encoded(noise(3, 2), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    assert!(matches!(refused(&gif), PictureError::TooManyPixels { .. }));

    let mut jpeg = jpeg(&noise(16, 16));
    let frame = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xF0, 0xFF, 0xF0]);
    assert!(matches!(refused(&jpeg), PictureError::TooManyPixels { .. }));
    assert!(matches!(
        refused(b"P6 60000 60000 255\n"),
        PictureError::TooManyPixels { .. }
    ));

    let small = PictureLimits {
        max_pixels: 100,
        ..limits()
    };
    let error = decode(&encoded(noise(11, 10), ImageFormat::Png), &small, None).unwrap_err();
    assert_eq!(
        error,
        PictureError::TooManyPixels {
            height: 10,
            width: 11,
            limit: 100
        }
    );
    let few = PictureLimits {
        max_bytes: 100,
        ..limits()
    };
    assert!(matches!(
        decode(&[0; 101], &few, None),
        Err(PictureError::TooManyBytes { .. })
    ));
}

#[test]
fn changed_bytes_never_panic_nor_pass_for_more_than_they_are() {
    let mut state = 1u64;
    for format in FORMATS {
        let whole = encoded(noise(24, 18), format);
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 25) as u8;
            }
            let small = PictureLimits {
                max_pixels: 1 << 20,
                ..limits()
            };
            if let Ok(picture) = decode(&bytes, &small, None) {
                assert!(picture.height() * picture.width() <= 1 << 20);
            }
            probe(&bytes).ok();
        }
    }
}

#[test]
fn a_file_is_what_its_bytes_say_and_errors_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("IMG_1.HEIC");
    // a picture larger than what a probe reads at first
    std::fs::write(&file, jpeg(&noise(300, 250))).unwrap();
    let info = probe_file(&file).unwrap();
    assert_eq!(
        (info.format, info.height, info.width),
        (Format::Jpeg, 250, 300)
    );
    let framing = Framing {
        height: 8,
        width: 10,
        colour: Colour::Rgb,
        fit: Fit::Crop,
    };
    assert_eq!(read_picture(&file, &framing, &limits()).unwrap().len(), 240);

    std::fs::write(&file, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    let error = read_picture(&file, &framing, &limits())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("IMG_1.HEIC is not a readable picture") && error.contains("git lfs pull"),
        "{error}"
    );
    let folder_read = read_picture(folder.path(), &framing, &limits()).unwrap_err();
    assert!(folder_read.to_string().contains("no regular file"));
    let absent = probe_file(&folder.path().join("absent.png"))
        .unwrap_err()
        .to_string();
    assert!(absent.contains("absent.png"), "{absent}");
}
