//! `siamese export --hub`: a folder to be uploaded to the Hugging Face hub as it is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use siamese_core::Model;
use siamese_train::{RunFolder, RunRecord, Summary, published_card};

/// What stands where nobody said how the repository is called.
const NAMELESS: &str = "USER/NAME";

/// What the card says of `model.onnx`.
const IN_ONNX: &str =
    "# model.onnx has all of it but the resizing in the graph: bytes in, embeddings out";

/// A licence as the hub names it, such as `mit`, `apache-2.0` or `cc-by-4.0`.
pub(super) fn license(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => Ok(text.into()),
        false => Err(
            "expected a licence as the hub names it, in small letters: mit, apache-2.0, cc-by-4.0, other, …".into(),
        ),
    }
}

/// A repository's name, `user/name`.
pub(super) fn repository(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("hf:").unwrap_or(text);
    match siamese_data::hub_name(name) {
        Some(name) if !name.contains("..") => Ok(name.into()),
        _ => Err("expected a repository of the hub, user/name".into()),
    }
}

/// Writes the folder, whole or not at all; what is there is left alone.
pub(super) fn write(
    model: &Model,
    place: &Path,
    folder: &Path,
    (name, license): (Option<&str>, Option<&str>),
) -> Result<()> {
    let shown = folder.display();
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    };
    ensure!(
        is_free,
        "{shown} is there already, and not empty: name a folder that is not"
    );
    let above = match folder.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    fs::create_dir_all(above).with_context(|| format!("creating {}", above.display()))?;
    let making = tempfile::Builder::new()
        .prefix(".siamese-hub-")
        .tempdir_in(above)
        .with_context(|| format!("creating a folder in {}", above.display()))?;
    fill(model, place, making.path(), (name, license))?;
    let finished = making.path().join("finished");
    let moved = |source: &Path| -> std::io::Result<()> {
        if folder.exists() {
            fs::remove_dir(folder)?;
        }
        fs::rename(source, folder)
    };
    moved(&finished).with_context(|| format!("writing {shown}"))
}

/// Fills the folder `finished` within `making`, which only its owner may look into.
fn fill(
    model: &Model,
    place: &Path,
    making: &Path,
    (name, license): (Option<&str>, Option<&str>),
) -> Result<()> {
    let finished = making.join("finished");
    fs::create_dir(&finished).with_context(|| format!("creating {}", finished.display()))?;
    model.save(finished.join("model.safetensors"))?;
    let onnx = finished.join("model.onnx");
    let in_onnx = match siamese_onnx::export(model, &onnx) {
        Ok(()) => true,
        Err(error @ siamese_onnx::Error::NoForm { .. }) => {
            eprintln!("without model.onnx: {error}");
            false
        }
        Err(error) => return Err(error.into()),
    };
    if in_onnx {
        siamese_onnx::export_head(model, onnx.with_extension("head.onnx"))?;
    }
    let settings = json!({
        "library_name": "siamese",
        "siamese": env!("CARGO_PKG_VERSION"),
        "tower": model.tower.config(),
        "distance": model.distance,
        "threshold": model.threshold.as_ref().map(|threshold| threshold.value),
    });
    siamese_files::write_bytes(
        &finished.join("config.json"),
        format!("{settings:#}\n").as_bytes(),
    )?;
    let run = run(place);
    let ran = run.as_ref().map(|(record, summary)| (record, summary));
    let license = license.map(String::from);
    let mut card = published_card(model, ran, name.unwrap_or(NAMELESS), license);
    card.usage.extend(in_onnx.then(|| IN_ONNX.into()));
    card.write(finished.join("README.md"))?;
    Ok(())
}

/// What the model's run left beside it, where it has ended.
fn run(place: &Path) -> Option<(RunRecord, Summary)> {
    let folder = RunFolder::of_model(place).ok()?;
    Some((folder.record().ok()?, folder.summary().ok()?))
}

/// What to do with the folder.
pub(super) fn next(folder: &Path, (name, license): (Option<&str>, Option<&str>)) -> String {
    let folder = siamese_files::quoted(&folder.to_string_lossy());
    let upload = format!(
        "huggingface-cli upload {} {folder} .",
        name.unwrap_or(NAMELESS)
    );
    match license {
        Some(_) => format!("now  {upload}"),
        None => format!(
            "now  {upload}\n     first name a licence in its README.md, or by --license here: without one nobody may use it"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_licences_are_those_of_the_hub() {
        assert_eq!(license("cc-by-4.0").as_deref(), Ok("cc-by-4.0"));
        for wrong in ["", "MIT", "a b", "mit\n", "\"mit\""] {
            assert!(license(wrong).is_err(), "{wrong}");
        }
        assert_eq!(repository("hf:me/birds").as_deref(), Ok("me/birds"));
        for wrong in ["birds", "me/birds/more", "../x", "me/"] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }
}
