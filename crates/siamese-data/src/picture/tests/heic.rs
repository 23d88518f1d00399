//! HEIC, as phones take.

#![cfg(feature = "heic")]

use super::*;

/// 40 wide and 24 high as it is stored, dark at the left, turned anti-clockwise by `quarters` as it is shown.
fn turned(quarters: u8) -> Vec<u8> {
    let image = RgbImage::from_fn(40, 24, |x, _| {
        image::Rgb([if x < 20 { 20 } else { 220 }; 3])
    });
    let options = heifer::EncodeOptions::default();
    let mut file = heifer::encode_rgb8(40, 24, &image, &options).unwrap();
    // the encoder knows no rotation: it takes the place of what tells the depth of the channels
    let place = file.windows(4).position(|name| name == b"pixi").unwrap();
    file[place..place + 4].copy_from_slice(b"irot");
    file[place + 4] = quarters;
    file
}

#[test]
fn a_turned_picture_is_probed_upright_as_it_is_decoded() {
    for (quarters, size) in [(0, (24, 40)), (1, (40, 24)), (2, (24, 40)), (3, (40, 24))] {
        let file = turned(quarters);
        let info = probe(&file).unwrap();
        let picture = decode(&file, &limits(), None).unwrap();
        assert_eq!((info.height, info.width), size, "{quarters} quarters");
        assert_eq!(
            (picture.height(), picture.width()),
            size,
            "{quarters} quarters"
        );
        let first = own(&picture, Colour::Grey)[0];
        assert_eq!(
            first < 100,
            matches!(quarters, 0 | 3),
            "{quarters} quarters: {first}"
        );
    }
}

#[test]
fn a_picture_that_declares_too_much_is_refused_before_it_is_decoded() {
    let mut file = turned(1);
    let place = file.windows(4).position(|name| name == b"ispe").unwrap();
    file[place + 8..place + 16].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    assert!(matches!(refused(&file), PictureError::TooManyPixels { .. }));
}
