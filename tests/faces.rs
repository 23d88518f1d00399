//! Faces: photos in, faces out; and a model of faces, which finds them in photos by itself.

mod support;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use siamese_core::candle::Device;
use siamese_core::{FaceCrop, Model};
use support::{siamese, text};

const PHOTO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../siamese-faces/tests/data/astronaut.png"
);

/// Her alone, twice in one photo, a wall, and what is no picture.
fn photos(folder: &Path) -> Result<()> {
    let her = image::open(PHOTO)?.into_rgb8();
    std::fs::create_dir_all(folder.join("ann"))?;
    std::fs::create_dir_all(folder.join("walls"))?;
    her.save(folder.join("ann/alone.png"))?;
    let mut twice = image::RgbImage::from_pixel(520, 320, image::Rgb([128; 3]));
    image::imageops::replace(&mut twice, &her, 0, 0);
    let half = image::imageops::thumbnail(&her, 160, 160);
    image::imageops::replace(&mut twice, &half, 340, 80);
    twice.save(folder.join("ann/twice.png"))?;
    image::RgbImage::from_pixel(64, 80, image::Rgb([128; 3]))
        .save(folder.join("walls/grey.png"))?;
    std::fs::write(
        folder.join("walls/broken.jpg"),
        b"\xff\xd8\xff\xe0 no picture",
    )?;
    Ok(())
}

#[test]
fn each_photo_gives_its_faces_and_a_line_that_says_what_became_of_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    photos(&folder.path().join("photos"))?;
    let run = |arguments: &[&str]| -> Result<std::process::Output> {
        let mut command = siamese(folder.path());
        command.args(["data", "faces", "photos"]).args(arguments);
        Ok(command.output()?)
    };
    let output = run(&["-o", "largest", "--size", "64"])?;
    assert!(output.status.success(), "{}", text(&output));
    let at = |name: &str| folder.path().join(name);
    let table = std::fs::read_to_string(at("largest/faces.csv"))?;
    let lines = |result: &str| {
        table
            .lines()
            .skip(1)
            .filter(|line| line.contains(result))
            .count()
    };
    assert_eq!(lines(",written,"), 2, "{table}");
    assert_eq!(lines(",not the largest,"), 1, "{table}");
    assert_eq!(lines(",no face,"), 1, "{table}");
    assert_eq!(lines(",unreadable,"), 1, "{table}");
    let crop = image::open(at("largest/ann/alone.png"))?;
    assert_eq!((crop.width(), crop.height()), (64, 64));
    assert!(!at("largest/walls").exists());

    let output = run(&["-o", "all", "--several", "all", "--grey"])?;
    assert!(output.status.success(), "{}", text(&output));
    assert!(at("all/ann/twice-1.png").exists() && at("all/ann/twice-2.png").exists());
    assert!(!image::open(at("all/ann/alone.png"))?.color().has_color());

    let output = run(&["-o", "one", "--several", "refuse"])?;
    assert!(output.status.success(), "{}", text(&output));
    assert!(at("one/ann/alone.png").exists() && !at("one/ann/twice.png").exists());
    Ok(())
}

#[test]
fn what_lies_there_is_not_mixed_with_new_faces_and_no_face_at_all_is_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    photos(&folder.path().join("photos"))?;
    std::fs::create_dir(folder.path().join("full"))?;
    std::fs::write(folder.path().join("full/mine.txt"), "mine")?;
    let faces = |photos: &str, out: &str| -> Result<(bool, String)> {
        let arguments = ["data", "faces", photos, "-o", out];
        let output = siamese(folder.path()).args(arguments).output()?;
        Ok((output.status.success(), text(&output)))
    };
    let (done, said) = faces("photos", "full")?;
    assert!(!done && said.contains("full is not empty"), "{said}");
    let (done, said) = faces("photos/walls/grey.png", "none")?;
    assert!(!done && said.contains("not one face was written"), "{said}");
    Ok(())
}

/// Runs a line in `folder`, whatever its end.
fn run(folder: &Path, line: &str) -> Result<std::process::Output> {
    Ok(siamese(folder).args(line.split(' ')).output()?)
}

/// A line's only line of JSON.
fn answered(folder: &Path, line: &str) -> Result<Value> {
    let output = run(folder, line)?;
    serde_json::from_slice(&output.stdout).with_context(|| text(&output))
}

#[test]
fn a_model_of_faces_finds_them_in_photos_and_takes_a_crop_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    photos(&folder.join("photos"))?;
    let crop = FaceCrop {
        side: 64,
        margin: 0.1,
        ..FaceCrop::default()
    };
    support::untrained_model_with(&folder.join("m.safetensors"), 7, Some(crop))?;
    run(folder, "data faces photos -o cut --size 64 --margin 0.1")?;
    run(folder, "gallery create people --model m.safetensors")?;
    let added = answered(
        folder,
        "gallery add people cut/ann/alone.png --class ann --json",
    )?;
    assert!(
        added.get("face").is_none(),
        "a crop is taken whole: {added}"
    );
    let left_out = run(
        folder,
        "gallery add people photos/walls/grey.png --class wall",
    )?;
    let said = text(&left_out);
    assert!(said.contains("grey.png: no face was found"), "{said}");

    // the photo is cut to the very crop that was enrolled
    let found = answered(folder, "identify people photos/ann/alone.png --json")?;
    assert_eq!(
        (&found["class"], &found["distance"]),
        (&"ann".into(), &0.0.into())
    );
    let edges = found["faces"][0]["face"]["box"]
        .as_array()
        .context("no box")?;
    let [left, _, right, _] = &edges[..] else {
        panic!("{found}")
    };
    assert!(left.as_f64() < right.as_f64(), "{found}");

    let both = answered(folder, "identify people photos/ann/twice.png --json")?;
    let faces = both["faces"].as_array().context("no faces")?;
    assert_eq!(
        (faces.len(), &faces[1]["face"]["of"]),
        (2, &2.into()),
        "{both}"
    );
    assert_eq!(both["distance"], faces[0]["distance"]);
    let said = text(&run(folder, "identify people photos/ann/twice.png")?);
    assert!(said.contains("twice.png, face 2 of 2 at "), "{said}");
    let none = run(folder, "identify people photos/walls/grey.png")?;
    assert_eq!(none.status.code(), Some(1));
    assert!(
        text(&none).contains("no face was found in it"),
        "{}",
        text(&none)
    );
    let none = answered(folder, "identify people photos/walls/grey.png --json")?;
    assert_eq!(
        (&none["known"], &none["faces"]),
        (&Value::Null, &Value::Array(vec![]))
    );

    let whole = answered(
        folder,
        "identify people photos/ann/alone.png --crop as-is --json",
    )?;
    assert!(
        whole["distance"] != 0.0 && whole.get("faces").is_none(),
        "{whole}"
    );
    Ok(())
}

#[test]
fn verify_search_and_embed_take_the_largest_face_and_say_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    photos(&folder.join("photos"))?;
    support::untrained_model_with(&folder.join("m.safetensors"), 7, Some(FaceCrop::default()))?;
    let line = "verify m.safetensors photos/ann/alone.png photos/ann/twice.png --json";
    let output = run(folder, line)?;
    let said = text(&output);
    assert!(
        said.contains("twice.png shows 2 faces, the largest is taken"),
        "{said}"
    );
    let verdict: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(verdict["faces"][1]["of"], 2, "{verdict}");
    assert_eq!(verdict["same"], true, "{verdict}");
    let none = run(
        folder,
        "verify m.safetensors photos/ann/alone.png photos/walls/grey.png",
    )?;
    let said = text(&none);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        said.contains("grey.png: no face was found") && said.contains("--crop as-is"),
        "{said}"
    );

    let output = run(folder, "embed m.safetensors photos -o all.jsonl")?;
    let said = text(&output);
    assert!(
        said.contains("2 embeddings") && said.contains("in 1 photo"),
        "{said}"
    );
    assert!(said.contains("walls/grey.png: no face was found"), "{said}");
    let output = run(
        folder,
        "embed m.safetensors photos -o whole.jsonl --crop as-is",
    )?;
    assert!(text(&output).contains("3 embeddings"), "{}", text(&output));

    support::untrained_model(&folder.join("plain.safetensors"))?;
    let refused = run(
        folder,
        "embed plain.safetensors photos -o x.jsonl --crop face",
    )?;
    assert!(
        text(&refused).contains("siamese data faces"),
        "{}",
        text(&refused)
    );
    Ok(())
}

#[test]
fn a_model_trained_on_faces_that_were_cut_out_says_so_in_its_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    support::tiny_set(folder)?;
    let trained = |name: &str| -> Result<(String, Option<FaceCrop>)> {
        let output = run(
            folder,
            &format!("train pictures --config tiny.toml --name {name}"),
        )?;
        anyhow::ensure!(output.status.success(), "{}", text(&output));
        let file = folder.join(format!("runs/{name}/best.safetensors"));
        Ok((text(&output), Model::load(file, &Device::Cpu)?.faces))
    };
    let (_, faces) = trained("plain")?;
    assert_eq!(faces, None);
    // as `data faces` marks its folder
    photos(&folder.join("photos"))?;
    run(
        folder,
        "data faces photos/ann -o cut --size 48 --grey --align box",
    )?;
    std::fs::copy(
        folder.join("cut/faces.json"),
        folder.join("pictures/faces.json"),
    )?;
    let (said, faces) = trained("faces")?;
    let faces = faces.context("the model does not know")?;
    assert_eq!((faces.side, faces.grey), (48, true));
    assert!(
        said.contains("grey faces of 48×48 pixels, as they lie"),
        "{said}"
    );
    Ok(())
}
