//! A labelled folder looked through, without a network.

mod support;

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use siamese_serve::{Config, Review};
use support::{BLUE, RED, get, png, send};

fn faces(folder: &Path) -> Result<()> {
    for (class, colour) in [("anna", RED), ("bert", BLUE)] {
        std::fs::create_dir_all(folder.join(class))?;
        for i in 0..2u8 {
            let [r, g, b] = colour;
            std::fs::write(
                folder.join(class).join(format!("{i}.png")),
                png([r, g + 90 * i, b])?,
            )?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn pictures_are_shown_moved_discarded_and_brought_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("faces");
    faces(&root)?;
    let router = Review::new(&root, Config::default(), |_| {})?.router();
    let listed = get(&router, "/api/v1/review").await?.ok()?;
    assert_eq!(listed["classes"], serde_json::json!(["anna", "bert"]));
    assert_eq!(listed["crops"].as_array().map(Vec::len), Some(4));
    let shown = get(&router, "/api/v1/review/0/picture").await?;
    assert_eq!(shown.header("content-type"), "image/jpeg");
    let json = [("content-type", "application/json")];
    let put = |body: &'static str| send(&router, ("POST", "/api/v1/review/put"), &json, body);
    assert_eq!(
        put(r#"{"ids": [0, 1], "class": "bert"}"#).await?.ok()?["moves"],
        2
    );
    assert_eq!(
        put(r#"{"ids": [2], "class": null}"#).await?.ok()?["crops"][0]["class"],
        Value::Null
    );
    assert!(
        !root.join("anna/0.png").exists()
            && folder.path().join("discarded/faces/bert/0.png").is_file()
    );
    for _ in 0..3 {
        send(&router, ("POST", "/api/v1/review/undo"), &json, "{}")
            .await?
            .ok()?;
    }
    for name in ["anna/0.png", "anna/1.png", "bert/0.png", "bert/1.png"] {
        assert!(root.join(name).is_file(), "{name}");
    }
    put(r#"{"ids": [9], "class": null}"#).await?.problem(404)?;
    let outside = put(r#"{"ids": [0], "class": "../../elsewhere"}"#)
        .await?
        .problem(404)?;
    assert!(outside.contains("no class"), "{outside}");
    get(&router, "/api/v1/review/9/picture")
        .await?
        .problem(404)?;
    Ok(())
}
