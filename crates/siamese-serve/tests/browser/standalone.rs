//! The page without a server, opened as a file: it answers as the library does, and asks nobody.
//!
//! Wanted is the model's code as WebAssembly, where `cargo xtask page --wasm-only` leaves it, or at `SIAMESE_WASM`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use siamese_core::Model;
use siamese_embed::Embedder;
use siamese_serve::standalone;

use crate::support::{BLUE, RED, model};
use crate::{Stage, say};

fn wasm() -> Option<Vec<u8>> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = set("CARGO_TARGET_DIR").unwrap_or_else(|| root.join("target"));
    let made = target.join("wasm32-unknown-unknown/wasm/siamese_wasm.wasm");
    std::fs::read(set("SIAMESE_WASM").unwrap_or(made)).ok()
}

/// The address of a page of this model.
fn page(stage: &Stage, model: &Model, wasm: &[u8]) -> Result<String> {
    let path = stage.folder.path().join("page.html");
    std::fs::write(&path, standalone(model, "untrained <b>", wasm)?)?;
    Ok(format!("file://{}", path.display()))
}

#[test]
fn the_page_without_a_server_answers_as_the_library_does() -> Result<()> {
    let Some(wasm) = wasm() else {
        say(
            "the page without a server was not tried: `cargo xtask page --wasm-only` makes what it needs",
        );
        return Ok(());
    };
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let browser = &stage.browser;
    browser.open(&page(&stage, &model()?, &wasm)?)?;
    browser.wait("#model", "untrained <b>")?;
    stage.look("standalone-empty")?;
    let [one, other, near] = [
        ("one.png", RED),
        ("other.png", BLUE),
        ("near.png", [198, 12, 11]),
    ]
    .map(|(name, colour)| stage.picture(name, colour));
    let (one, other, near) = (one?, other?, near?);
    browser.type_into("#a", &one)?;
    browser.type_into("#b", &other)?;
    browser.wait("#compared .word", "Different")?;
    browser.wait("#compared .numbers", "threshold")?;
    let shown = browser.run("return Number(document.querySelector('#compared dd').textContent)")?;
    let expected = Embedder::new(model()?).verify(&one, &other)?.distance;
    let shown = shown.as_f64().unwrap_or(f64::NAN);
    assert!(
        (shown - f64::from(expected)).abs() < 1e-3,
        "{shown} {expected}"
    );
    stage.look("standalone")?;
    browser.click("#b-field .clear")?;
    browser.type_into("#b", &near)?;
    browser.wait("#compared .word", "The same")?;
    let broken = stage.folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\n")?;
    browser.type_into("#b", &broken.to_string_lossy())?;
    browser.wait(
        "#compared [role=alert]",
        "Broken.png: this browser cannot read it",
    )?;
    asks_nobody(&stage)?;
    of_faces(&stage, &wasm, &one)
}

fn of_faces(stage: &Stage, wasm: &[u8], picture: &str) -> Result<()> {
    let model = Model {
        faces: Some(Default::default()),
        ..model()?
    };
    let browser = &stage.browser;
    browser.open(&page(stage, &model, wasm)?)?;
    browser.wait("#compared", "The model is of faces")?;
    for place in ["#a", "#b"] {
        browser.type_into(place, picture)?;
    }
    browser.wait("#compared [role=alert]", "One.png: no face was found in it")?;
    asks_nobody(stage)
}

fn asks_nobody(stage: &Stage) -> Result<()> {
    let outside = "return performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith('blob:') && !n.startsWith('data:'))";
    assert_eq!(stage.browser.run(outside)?, json!([]));
    assert_eq!(stage.browser.complaints()?, Vec::<String>::new());
    Ok(())
}
