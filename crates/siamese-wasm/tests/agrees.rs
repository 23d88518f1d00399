//! A browser's answer is the command line's: the same pixels, whoever decoded them, are the same distance apart.

#[path = "../../../tests/support/untrained.rs"]
mod untrained;

use std::io::Cursor;

use anyhow::Result;
use image::{DynamicImage, ImageFormat, RgbaImage};
use siamese_core::candle::Device;
use siamese_core::metrics::calibration::Calibration;
use siamese_core::{ComparisonConfig, Distance, Fit, Head, Model, Tower, TowerConfig};
use siamese_embed::Embedder;
use siamese_wasm::{Booth, Error};
use untrained::untrained;

/// Neither square nor symmetric, of transparent parts and opaque ones.
fn picture(width: u32, height: u32, seed: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let wave = |k: u32| ((x * k + y * (seed + 3)) * 7 % 256) as u8;
        let alpha = if x < width / 8 { 40 } else { 255 };
        image::Rgba([wave(1), wave(3), wave(5 + seed), alpha])
    })
}

fn png(picture: &RgbaImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture.clone()).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn size(picture: &RgbaImage) -> (usize, usize) {
    (picture.height() as usize, picture.width() as usize)
}

/// A model of that fit, of one or three channels.
fn model(fit: Fit, channels: usize) -> Result<Model> {
    let model = untrained(5)?;
    let mut config: TowerConfig = model.tower.config().clone();
    config.input.fit = fit;
    config.input.height = 24;
    config.input.mean.truncate(channels);
    config.input.std.truncate(channels);
    let tower = Tower::new(config, 5, &Device::Cpu)?;
    let mut threshold = model.threshold.clone();
    if let Some(threshold) = &mut threshold {
        threshold.weights = tower.parameters().fingerprint()?;
        threshold.calibration = Some(Calibration::Logistic {
            slope: 8.0,
            intercept: -2.0,
        });
    }
    Ok(Model {
        tower,
        threshold,
        ..model
    })
}

fn both_agree(model: &Model) -> Result<()> {
    let pictures = [picture(61, 37, 1), picture(20, 45, 2)];
    let mut booth = Booth::open(&model.to_bytes()?)?;
    let embedder = Embedder::new(model.clone());
    let mut looks = Vec::new();
    for (place, picture) in pictures.iter().enumerate() {
        let glance = booth.look(place, size(picture), picture.as_raw().clone())?;
        let look = embedder.look_bytes(&png(picture)?)?;
        assert_eq!(glance.strange, look.strange.map(|one| one.to_string()));
        looks.push(look);
    }
    let answer = booth.compare()?;
    let distance = model.metric()?.of(&looks[0].embedding, &looks[1].embedding);
    assert!(
        (answer.distance - distance).abs() < 1e-6,
        "{answer:?} {distance}"
    );
    assert!(distance > 1e-3, "the pictures differ");
    if model.threshold.is_some() {
        let verdict = embedder.judge(&looks[0], &looks[1])?;
        assert_eq!(answer.same, Some(verdict.same));
        assert_eq!(answer.threshold, Some(verdict.threshold));
        assert_eq!(answer.probability, verdict.probability);
    } else {
        assert_eq!((answer.same, answer.threshold), (None, None));
    }
    Ok(())
}

#[test]
fn every_fit_and_colour_agrees_with_the_command_line() -> Result<()> {
    for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
        for channels in [1, 3] {
            both_agree(&model(fit, channels)?)?;
        }
    }
    Ok(())
}

#[test]
fn a_learned_head_judges_here_too_and_so_does_a_model_without_a_threshold() -> Result<()> {
    let model = model(Fit::Crop, 3)?;
    let head = Head::new(ComparisonConfig::default(), 16, 3, &Device::Cpu)?;
    let mut headed = Model {
        head: Some(head),
        ..model.clone()
    };
    let weights = headed.fingerprint()?;
    if let Some(threshold) = &mut headed.threshold {
        threshold.weights = weights;
    }
    both_agree(&headed)?;
    both_agree(&Model {
        threshold: None,
        distance: Distance::Cosine,
        ..model
    })
}

#[test]
fn a_model_of_faces_looks_for_one_and_takes_crops_as_they_are() -> Result<()> {
    let model = Model {
        faces: Some(Default::default()),
        ..model(Fit::Crop, 3)?
    };
    let mut booth = Booth::open(&model.to_bytes()?)?;
    let wall = vec![128; 90 * 120 * 4];
    assert!(matches!(booth.look(0, (90, 120), wall), Err(Error::NoFace)));
    assert!(booth.look(0, (112, 112), vec![128; 112 * 112 * 4]).is_ok());
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_in_words() -> Result<()> {
    for bytes in [&b""[..], b"<!doctype html>", b"\x08\0\0\0\0\0\0\0{}      "] {
        let said = Booth::open(bytes).err().map(|error| error.to_string());
        assert!(said.is_some_and(|said| said.contains("the model of this page")));
    }
    let whole = model(Fit::Crop, 3)?.to_bytes()?;
    assert!(Booth::open(&whole[..whole.len() - 9]).is_err());
    let mut booth = Booth::open(&whole)?;
    assert!(matches!(booth.compare(), Err(Error::Missing)));
    for (size, bytes) in [
        ((0, 0), 0),
        ((0, 7), 0),
        ((2, 3), 23),
        ((usize::MAX, 2), 16),
    ] {
        let error = booth.look(0, size, vec![9; bytes]).unwrap_err();
        assert!(error.to_string().contains("pixels"), "{error}");
    }
    assert!(matches!(
        booth.look(2, (1, 1), vec![9; 4]),
        Err(Error::Place(2))
    ));
    booth.look(0, (1, 1), vec![9; 4])?;
    booth.look(1, (1, 900), vec![9; 3600])?;
    assert!(booth.compare()?.distance.is_finite());
    // a picture that is refused leaves no older one in its place
    assert!(booth.look(1, (2, 2), Vec::new()).is_err());
    assert!(matches!(booth.compare(), Err(Error::Missing)));
    Ok(())
}
