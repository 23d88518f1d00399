//! Made pictures of every kind, whole, turned, cut and hostile.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, RgbImage, RgbaImage};

use super::*;

mod heic;
mod jpegs;
mod sizes;
mod transparent;

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
        assert!(
            matches!(Looks::of(&bytes[..64]), Looks::Picture(_)),
            "{format:?}"
        );
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
