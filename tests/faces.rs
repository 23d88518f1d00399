//! `siamese data faces`: photos in, faces out.

mod support;

use std::path::Path;

use anyhow::Result;
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
