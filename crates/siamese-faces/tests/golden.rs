//! Boxes, probabilities and landmarks are facenet-pytorch's (`benches/golden.py` made the file).

use std::path::Path;

use serde_json::Value;
use siamese_faces::{Alignment, Detector, DetectorConfig, Face, Rgb};

/// (height, width) and pixels.
type Pixels = ((usize, usize), Vec<u8>);

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn astronaut() -> Pixels {
    let image = image::open(data("astronaut.png"))
        .expect("the fixture")
        .into_rgb8();
    (
        (image.height() as usize, image.width() as usize),
        image.into_raw(),
    )
}

fn wall(size: (usize, usize)) -> Pixels {
    (size, vec![128; size.0 * size.1 * 3])
}

/// As `several()` in `golden.py`.
fn several() -> Pixels {
    let (_, her) = astronaut();
    let (size, mut pixels) = wall((420, 640));
    let mut paste = |rows: std::ops::Range<usize>,
                     columns: std::ops::Range<usize>,
                     from: &dyn Fn(usize, usize) -> (usize, usize)| {
        for y in rows.clone() {
            for x in columns.clone() {
                let (row, column) = from(y - rows.start, x - columns.start);
                let (to, from) = ((y * size.1 + x) * 3, (row * 320 + column) * 3);
                pixels[to..to + 3].copy_from_slice(&her[from..from + 3]);
            }
        }
    };
    paste(10..330, 5..325, &|y, x| (y, x));
    paste(200..360, 340..500, &|y, x| (2 * y, 2 * (159 - x)));
    paste(0..140, 520..640, &|y, x| (2 * (y + 20), 2 * x));
    (size, pixels)
}

fn detect((size, pixels): &Pixels, config: DetectorConfig) -> (Vec<Face>, u8) {
    let picture = Rgb::new(size.0, size.1, pixels).expect("as many bytes as its size says");
    let detector = Detector::with_config(config).expect("a configuration in range");
    detector.detect_turned(&picture).expect("nets that run")
}

#[test]
fn faces_are_found_where_facenet_pytorch_finds_them() {
    let golden: Value =
        serde_json::from_slice(&std::fs::read(data("golden.json")).unwrap()).unwrap();
    for (name, picture) in [
        ("one", astronaut()),
        ("several", several()),
        ("wall", wall((90, 70))),
    ] {
        let (faces, _) = detect(&picture, DetectorConfig::default());
        let expected = golden[name].as_array().unwrap();
        assert_eq!(faces.len(), expected.len(), "{name}");
        for (face, expected) in faces.iter().zip(expected) {
            let bounds = [
                face.bounds.left,
                face.bounds.top,
                face.bounds.right,
                face.bounds.bottom,
            ];
            let points = face.landmarks.iter().flat_map(|p| [p.x, p.y]);
            let ours = bounds.into_iter().chain(points);
            let theirs = expected["bounds"].as_array().unwrap().iter();
            let landmarks = expected["landmarks"].as_array().unwrap();
            let theirs = theirs.chain(landmarks.iter().flat_map(|p| p.as_array().unwrap()));
            for (ours, theirs) in ours.zip(theirs) {
                let off = f64::from(ours) - theirs.as_f64().unwrap();
                assert!(off.abs() < 0.02, "{name}: off by {off} pixels");
            }
            let off = f64::from(face.probability) - expected["probability"].as_f64().unwrap();
            assert!(off.abs() < 1e-4, "{name}: probability off by {off}");
        }
    }
}

#[test]
fn a_picture_on_its_side_is_turned_when_that_is_asked_for() {
    let ((height, width), pixels) = astronaut();
    let sideways = image::RgbImage::from_raw(width as u32, height as u32, pixels).unwrap();
    let sideways = image::imageops::rotate270(&sideways);
    let lying = ((width, height), sideways.into_raw());
    let upright = detect(&astronaut(), DetectorConfig::default()).0;
    let turn = |turn| DetectorConfig {
        turn,
        ..Default::default()
    };
    let (faces, quarters) = detect(&lying, turn(true));
    assert_eq!(quarters, 1);
    assert_eq!(faces.len(), upright.len());
    // (x, y) upright lies at (y, width − 1 − x)
    for (lying, upright) in faces[0].landmarks.iter().zip(&upright[0].landmarks) {
        assert!((lying.x - upright.y).abs() < 1e-3);
        assert!((lying.y - (width as f32 - 1.0 - upright.x)).abs() < 1e-3);
    }
    assert!((faces[0].roll() - upright[0].roll()).abs() > 60.0);
    // and the crop is upright again
    let crop = |(size, pixels): &Pixels, face| {
        Alignment::default().crop(&Rgb::new(size.0, size.1, pixels).unwrap(), face)
    };
    let (a, b) = (crop(&lying, &faces[0]), crop(&astronaut(), &upright[0]));
    let off: u64 = a
        .iter()
        .zip(&b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    assert!(
        off < a.len() as u64 / 4,
        "differ by {} a value",
        off as f64 / a.len() as f64
    );
}

#[test]
fn pictures_too_small_for_a_face_have_none() {
    for size in [(1, 1), (11, 300), (12, 12), (20, 20), (40, 13)] {
        assert_eq!(detect(&wall(size), DetectorConfig::default()).0, []);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    for config in [
        DetectorConfig {
            min_face: 5.0,
            ..Default::default()
        },
        DetectorConfig {
            min_face: f32::NAN,
            ..Default::default()
        },
        DetectorConfig {
            factor: 1.0,
            ..Default::default()
        },
    ] {
        assert!(Detector::with_config(config).is_err());
    }
}
