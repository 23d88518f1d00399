//! A model for other programs: what is written, what is said, what is refused.

mod support;

use std::fs;
use std::path::Path;

use anyhow::Result;
use support::{siamese, text, untrained_model};

#[test]
fn a_model_is_written_as_onnx_and_its_use_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let output = siamese(folder.path())
        .args(["export", "model.safetensors", "--onnx", "out.onnx"])
        .output()?;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "out.onnx",
        "image (batch, 32, 32, 3) of bytes → embedding (batch, 16)",
        "RGB pictures of 32x32",
        "Euclidean distance is below 0.2000",
    ] {
        assert!(said.contains(words), "{words} in: {said}");
    }
    assert!(folder.path().join("out.onnx").metadata()?.len() > 1000);
    Ok(())
}

#[test]
fn what_cannot_be_written_is_refused_with_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let refused = [
        (&["export", "model.safetensors"][..], "--onnx"),
        (
            &["export", "model.safetensors", "--timm", "there"],
            "ONNX instead",
        ),
        (
            &["export", "model.safetensors", "--onnx", "none/out.onnx"],
            "none/out.onnx",
        ),
        (
            &["export", "absent.safetensors", "--onnx", "out.onnx"],
            "absent.safetensors",
        ),
    ];
    for (arguments, word) in refused {
        let output = siamese(folder.path()).args(arguments).output()?;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{word} in: {said}");
    }
    assert!(!folder.path().join("there/model.safetensors").exists());
    Ok(())
}

#[test]
fn a_page_is_written_whole_or_what_makes_it_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let output = siamese(folder.path())
        .args(["export", "model.safetensors", "--page", "page.html"])
        .output()?;
    let said = text(&output);
    let page = folder.path().join("page.html");
    if cfg!(feature = "page") {
        assert!(output.status.success(), "{said}");
        assert!(std::fs::read_to_string(page)?.starts_with("<!doctype html>"));
    } else {
        assert_eq!(output.status.code(), Some(2), "{said}");
        let how = "rustup target add wasm32-unknown-unknown && cargo xtask page";
        assert!(said.contains(how), "{said}");
        assert!(!page.exists());
    }
    Ok(())
}

/// Plain pictures of two classes, four of each.
fn colours(folder: &Path) -> Result<()> {
    for (class, colour) in [("red", [200u8, 20, 20]), ("blue", [20, 20, 200])] {
        let class = folder.join(class);
        fs::create_dir_all(&class)?;
        for i in 0..4u8 {
            let shade = image::Rgb(colour.map(|value| value + 10 * i));
            image::RgbImage::from_pixel(32, 32, shade).save(class.join(format!("{i}.png")))?;
        }
    }
    Ok(())
}

#[test]
fn an_onnx_file_is_judged_as_the_model_is_that_it_was_written_from() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    colours(&folder.path().join("photos"))?;
    let run = |arguments: &[&str]| siamese(folder.path()).args(arguments).output();
    let output = run(&["export", "model.safetensors", "--onnx", "out.onnx"])?;
    assert!(output.status.success(), "{}", text(&output));
    let output = run(&[
        "evaluate", "--onnx", "out.onnx", "--folder", "photos", "--json",
    ])?;
    assert!(output.status.success(), "{}", text(&output));
    let judged: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let theirs = &judged["figures"]["roc_auc"]["value"];
    let export = ["--export", "ours.npz", "--json"];
    let output = run(&[
        &["evaluate", "model.safetensors", "--folder", "photos"][..],
        &export,
    ]
    .concat())?;
    assert!(output.status.success(), "{}", text(&output));
    let ours: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        theirs, &ours["figures"]["roc_auc"]["value"],
        "{judged:#}\n{ours:#}"
    );
    for (arguments, word) in [
        (
            &["--onnx", "absent.onnx", "--folder", "photos"][..],
            "absent.onnx",
        ),
        (
            &["--onnx", "photos/red/0.png", "--folder", "photos"],
            "0.png",
        ),
        (&["--onnx", "out.onnx"], "--folder"),
        (
            &[
                "--onnx", "out.onnx", "--folder", "photos", "--pixels", "0..1",
            ],
            "--pixels",
        ),
        (
            &["--onnx", "out.onnx", "--folder", "photos", "--size", "64"],
            "64x64",
        ),
    ] {
        let output = run(&[&["evaluate"], arguments].concat())?;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{word} in: {said}");
    }
    Ok(())
}

#[test]
fn a_folder_for_the_hub_is_a_model_by_its_name_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    colours(&folder.path().join("photos"))?;
    let hub = [
        "export",
        "model.safetensors",
        "--hub",
        "out",
        "--repo",
        "me/colours",
    ];
    let output = siamese(folder.path())
        .args(hub)
        .args(["--license", "mit"])
        .output()?;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("huggingface-cli upload me/colours out ."),
        "{said}"
    );
    let card = fs::read_to_string(folder.path().join("out/README.md"))?;
    assert!(
        card.starts_with("---\nlicense: \"mit\"\nlibrary_name: siamese\n"),
        "{card}"
    );
    assert!(
        card.contains("siamese verify hf:me/colours one.jpg other.jpg"),
        "{card}"
    );
    let here = folder.path().to_string_lossy();
    assert!(!card.contains(&*here), "{card}");

    // as the hub's cache keeps it
    let cache = folder.path().join("cache/models--me--colours");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    fs::create_dir_all(cache.join("refs"))?;
    fs::write(cache.join("refs/main"), commit)?;
    fs::create_dir_all(cache.join("snapshots"))?;
    fs::rename(
        folder.path().join("out"),
        cache.join("snapshots").join(commit),
    )?;
    let embed = |model: &str, out: &str| {
        siamese(folder.path())
            .args(["embed", model, "photos", "-o", out])
            .env("HF_HUB_CACHE", folder.path().join("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .output()
    };
    for (model, out) in [
        ("hf:me/colours", "hub.jsonl"),
        ("model.safetensors", "file.jsonl"),
    ] {
        let output = embed(model, out)?;
        assert!(output.status.success(), "{}", text(&output));
    }
    let rows = |name| fs::read_to_string(folder.path().join(name));
    assert_eq!(rows("hub.jsonl")?, rows("file.jsonl")?);
    Ok(())
}

#[test]
fn a_folder_for_the_hub_replaces_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    fs::create_dir(folder.path().join("mine"))?;
    fs::write(folder.path().join("mine/README.md"), "mine")?;
    let refused = [
        (&["--hub", "mine"][..], "not empty"),
        (&["--hub", "out", "--license", "MIT"], "small letters"),
        (&["--hub", "out", "--repo", "nobody"], "user/name"),
        (&["--onnx", "out.onnx", "--license", "mit"], "--hub"),
    ];
    for (arguments, word) in refused {
        let output = siamese(folder.path())
            .args(["export", "model.safetensors"])
            .args(arguments)
            .output()?;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{word} in: {said}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("mine/README.md"))?,
        "mine"
    );
    assert_eq!(fs::read_dir(folder.path())?.count(), 2);
    let output = siamese(folder.path())
        .args(["export", "model.safetensors", "--hub", "out"])
        .output()?;
    let said = text(&output);
    assert!(
        output.status.success() && said.contains("--license"),
        "{said}"
    );
    Ok(())
}
