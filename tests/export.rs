//! A model for other programs: what is written, what is said, what is refused.

mod support;

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
