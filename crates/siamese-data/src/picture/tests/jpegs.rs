//! JPEGs as encoders, phones and broken downloads leave them.

use super::*;

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
        include_bytes!("../../../tests/pictures/progressive.jpg"),
        12.0,
    ),
    (
        "restarts",
        include_bytes!("../../../tests/pictures/restarts.jpg"),
        12.0,
    ),
    (
        "restarts 4:4:4",
        include_bytes!("../../../tests/pictures/restarts_444.jpg"),
        8.0,
    ),
    (
        "progressive, restarts",
        include_bytes!("../../../tests/pictures/progressive_restarts.jpg"),
        12.0,
    ),
    (
        "optimised",
        include_bytes!("../../../tests/pictures/optimised.jpg"),
        12.0,
    ),
    (
        "CMYK",
        include_bytes!("../../../tests/pictures/cmyk.jpg"),
        12.0,
    ),
    (
        "grey, restarts",
        include_bytes!("../../../tests/pictures/grey_restarts.jpg"),
        8.0,
    ),
];

#[test]
fn every_sort_of_jpeg_is_read() {
    let png = decode(
        include_bytes!("../../../tests/pictures/picture.png"),
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
