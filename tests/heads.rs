//! A head that compares pairs, end to end: trained, resumed, asked about two pictures, evaluated.
#![cfg(unix)]

mod support;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use support::{json, siamese, text};

/// Classes of colour with a stripe of another width in each picture.
fn pictures(folder: &Path) -> Result<()> {
    for class in 0..6u32 {
        let place = folder.join(format!("colour {class}"));
        std::fs::create_dir_all(&place)?;
        for i in 0..20u32 {
            let colour = [
                40 + 35 * class as u8,
                220 - 35 * class as u8,
                (90 * class % 250) as u8,
            ];
            let picture = image::RgbImage::from_fn(24, 20, |x, y| {
                let noise = ((x * 31 + y * 17 + i * 57) % 23) as u8;
                match x < i {
                    true => image::Rgb(colour.map(|c| c.saturating_add(noise))),
                    false => image::Rgb(colour.map(|c| c.saturating_sub(2 * noise))),
                }
            });
            picture.save(place.join(format!("{i}.png")))?;
        }
    }
    Ok(())
}

const CONFIG: &str = "
epochs = 4
tower.embedding = 16
tower.body.kind = 'stages'
tower.body.stages = [{ channels = 8, convolutions = 1 }, { channels = 16, convolutions = 1 }]
head = { kind = 'comparison', combine = ['absolute_difference', 'product'], hidden = [8] }
judge = { validation_pairs = 400, test_pairs = 400 }
";

#[test]
fn a_head_is_trained_resumed_asked_and_evaluated_like_any_model() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    pictures(&at("colours"))?;
    std::fs::write(at("head.toml"), CONFIG)?;
    let run = |arguments: &[&str]| -> Result<std::process::Output> {
        Ok(siamese(folder.path()).args(arguments).output()?)
    };
    let output = run(&[
        "train",
        "colours",
        "--config",
        "head.toml",
        "--name",
        "whole",
    ])?;
    assert!(output.status.success(), "{}", text(&output));
    let result = json(&at("runs/whole/result.json"))?;
    for name in ["roc_auc", "recall_at_1", "nearest_centroid_accuracy", "ece"] {
        let value = result["figures"][name]["value"].as_f64();
        assert!(value.is_some_and(f64::is_finite), "{name}: {result}");
    }
    assert!(
        result["figures"]["roc_auc"]["value"].as_f64() > Some(0.8),
        "{result}"
    );

    // killed and resumed to the end: the same bytes
    killed_in_its_second_epoch(folder.path())?;
    let output = run(&["train", "--resume", "runs/cut"])?;
    assert!(output.status.success(), "{}", text(&output));
    let bytes = |name: &str| std::fs::read(at(&format!("runs/{name}/best.safetensors")));
    assert!(bytes("whole")? == bytes("cut")?);

    let answer = |a: &str, b: &str| -> Result<Value> {
        let output = run(&["verify", "runs/whole", a, b, "--json"])?;
        serde_json::from_slice(&output.stdout).with_context(|| text(&output))
    };
    let (a, b) = ("colours/colour 0/3.png", "colours/colour 5/4.png");
    let (one, other) = (answer(a, b)?, answer(b, a)?);
    assert_eq!(one["distance"], other["distance"]);
    assert_eq!(one["probability"], other["probability"]);
    assert_eq!(one["same"], false, "{one}");
    assert_eq!(answer(a, "colours/colour 0/4.png")?["same"], true);

    let output = run(&["evaluate", "runs/whole", "--json", "--pairs", "400"])?;
    assert!(output.status.success(), "{}", text(&output));
    let judged: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(judged["roc_auc"], result["figures"]["roc_auc"]);
    let pairs = format!("{a},{b},0\n{a},colours/colour 0/5.png,1\n");
    std::fs::write(at("pairs.csv"), pairs)?;
    let output = run(&[
        "evaluate",
        "runs/whole",
        "--folder",
        ".",
        "--pairs-file",
        "pairs.csv",
    ])?;
    assert!(output.status.success(), "{}", text(&output));
    let card = std::fs::read_to_string(at("runs/whole/README.md"))?;
    assert!(
        card.contains("P(same)") && card.contains("learned distance"),
        "{card}"
    );
    in_a_gallery(folder.path(), &one)
}

/// Enrols two pictures of each class; the head's distance of `a` and `b` of [`answer`] is that in the gallery.
fn in_a_gallery(folder: &Path, verified: &Value) -> Result<()> {
    let run = |line: &str| -> Result<std::process::Output> {
        let output = siamese(folder).args(line.split(' ')).output()?;
        anyhow::ensure!(output.status.code() < Some(2), "{line}: {}", text(&output));
        Ok(output)
    };
    for class in 0..6 {
        let place = folder.join(format!("enrolled/colour {class}"));
        std::fs::create_dir_all(&place)?;
        for picture in ["4.png", "9.png"] {
            let from = folder.join(format!("colours/colour {class}/{picture}"));
            std::fs::copy(from, place.join(picture))?;
        }
    }
    let made = run("gallery create people --model runs/whole")?;
    assert!(text(&made).contains("learned distance"), "{}", text(&made));
    run("gallery add people enrolled")?;
    std::fs::copy(
        folder.join("colours/colour 0/3.png"),
        folder.join("probe.png"),
    )?;
    let output = run("search people probe.png -k 12 --json")?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let matches = found["matches"].as_array().context("no matches")?;
    let other = "enrolled/colour 5/4.png";
    let there = matches.iter().find(|near| near["name"] == other);
    assert_eq!(
        there.context("not found")?["distance"],
        verified["distance"]
    );
    let output = run("identify people probe.png --json")?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(answer["matches"][0]["class"], "colour 0", "{answer}");
    assert!(answer["known"].is_boolean() && answer["probability"].is_number());
    let info = run("gallery info people --json")?;
    let info: Value = serde_json::from_slice(&info.stdout)?;
    let head = info["model"]["head"].as_str().context("no head")?;
    assert!(head.contains("hidden: [8]"), "{head}");
    Ok(())
}

fn killed_in_its_second_epoch(folder: &Path) -> Result<()> {
    use std::io::{BufRead, BufReader};
    let mut child = siamese(folder)
        .args(["train", "colours", "--config", "head.toml", "--name", "cut"])
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    for line in lines {
        if line?.starts_with("epoch   1/4") {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn a_head_without_the_objective_that_trains_it_is_refused_with_advice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    pictures(&folder.path().join("colours"))?;
    let said = |arguments: &[&str]| -> Result<String> {
        let output = siamese(folder.path())
            .args(["train", "colours"])
            .args(arguments)
            .output()?;
        assert!(!output.status.success());
        Ok(text(&output))
    };
    let error = said(&["--head", "comparison", "--loss", "triplet"])?;
    assert!(error.contains("--loss same_different"), "{error}");
    let error = said(&["--head", "comparison", "--set", "head.combine=produkt"])?;
    assert!(error.contains("did you mean \"product\"?"), "{error}");
    let output = siamese(folder.path())
        .args(["new", "colours", "--head", "comparison"])
        .output()?;
    let written = text(&output);
    assert!(
        written.contains("[head]") && written.contains("same_different"),
        "{written}"
    );
    Ok(())
}
