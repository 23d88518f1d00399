//! A model put to use from the command line: embeddings in files, pairs, and galleries.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use siamese_core::metrics::npz::read_npz;
use support::{picture, siamese, text, untrained_model};

/// What a command printed, a JSON value a line.
fn lines(output: &Output) -> Result<Vec<Value>> {
    let text = String::from_utf8(output.stdout.clone())?;
    let lines = text.lines().map(|line| Ok(serde_json::from_str(line)?));
    lines
        .collect::<Result<_>>()
        .with_context(|| support::text(output))
}

fn fed(mut command: Command, input: &str) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("no input")?
        .write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

/// A model, and pictures of two classes in red and blue.
fn furnished(folder: &Path) -> Result<()> {
    untrained_model(&folder.join("model.safetensors"))?;
    for (class, colour) in [("red", [200, 10, 10]), ("blue", [10, 10, 200])] {
        fs::create_dir_all(folder.join("photos").join(class))?;
        for i in 0..3u8 {
            let [r, g, b] = colour;
            let file = folder.join(format!("photos/{class}/{i}.png"));
            picture(&file, [r, g + 3 * i, b])?;
        }
    }
    Ok(())
}

#[test]
fn embeddings_are_written_with_files_and_classes_and_what_is_unreadable_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    furnished(folder.path())?;
    let whole = fs::read(folder.path().join("photos/red/0.png"))?;
    fs::write(folder.path().join("photos/red/cut.png"), &whole[..60])?;
    for name in ["x.npz", "x.parquet", "x.jsonl"] {
        let output = siamese(folder.path())
            .args(["embed", "model.safetensors", "photos", "-o", name])
            .output()?;
        let said = text(&output);
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("cut.png") && said.contains("6 embeddings of 16 numbers of 2 classes"),
            "{said}"
        );
    }
    let npz = read_npz(&folder.path().join("x.npz"))?;
    assert_eq!(npz.embeddings.labels, [0, 0, 0, 1, 1, 1]);
    let jsonl = fs::read_to_string(folder.path().join("x.jsonl"))?;
    let first: Value = serde_json::from_str(jsonl.lines().next().context("empty")?)?;
    assert_eq!(
        (&first["file"], &first["class"]),
        (&"photos/blue/0.png".into(), &"blue".into())
    );
    let numbers = first["embedding"].as_array().context("no list")?;
    let numbers: Vec<f32> = numbers
        .iter()
        .map(|x| x.as_f64().unwrap_or(9.0) as f32)
        .collect();
    assert_eq!(numbers, npz.embeddings.values[..16]);
    // a million pictures are listed by another program, too
    let mut command = siamese(folder.path());
    command.args(["embed", "model.safetensors", "-", "-o", "y.jsonl"]);
    let output = fed(command, "photos/red/0.png\nphotos/blue/1.png\n")?;
    assert!(text(&output).contains("2 embeddings"), "{}", text(&output));
    Ok(())
}

#[test]
fn one_picture_is_verified_against_many_and_pairs_from_standard_input() -> Result<()> {
    let folder = tempfile::tempdir()?;
    furnished(folder.path())?;
    let [red, other, blue] = ["photos/red/0.png", "photos/red/1.png", "photos/blue/0.png"];
    let output = siamese(folder.path())
        .args([
            "verify",
            "model.safetensors",
            red,
            red,
            other,
            blue,
            "--json",
        ])
        .output()?;
    let answers = lines(&output)?;
    assert_eq!(answers.len(), 3);
    assert_eq!(
        (&answers[0]["same"], &answers[0]["second"]),
        (&true.into(), &red.into())
    );
    let mut command = siamese(folder.path());
    command.args(["verify", "model.safetensors", "-", "--json"]);
    let output = fed(
        command,
        &format!("{red}\t{blue}\n{red},missing.png\n\n{red} {other}\n"),
    )?;
    let listed = lines(&output)?;
    assert_eq!(listed[0]["distance"], answers[2]["distance"]);
    assert!(
        listed[1]["error"]
            .as_str()
            .is_some_and(|e| e.contains("missing.png"))
    );
    assert_eq!(listed[2]["distance"], answers[1]["distance"]);
    assert_eq!(output.status.code(), Some(2));
    let alone = siamese(folder.path())
        .args(["verify", "model.safetensors", red])
        .output()?;
    assert!(
        text(&alone).contains("two pictures or more"),
        "{}",
        text(&alone)
    );
    Ok(())
}

#[test]
fn a_gallery_from_its_making_to_an_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    furnished(folder.path())?;
    let run = |line: &str| siamese(folder.path()).args(line.split(' ')).output();
    let done = |line: &str| -> Result<Output> {
        let output = run(line)?;
        anyhow::ensure!(output.status.success(), "{line}: {}", text(&output));
        Ok(output)
    };
    done("gallery create people --model model.safetensors")?;
    let again = run("gallery create people --model model.safetensors")?;
    assert!(
        text(&again).contains("holds a gallery already"),
        "{}",
        text(&again)
    );
    let added = lines(&done("gallery add people photos/ --json")?)?;
    assert_eq!((added.len(), &added[0]["added"]), (6, &true.into()));
    let twice = done("gallery add people photos/red/0.png --class green")?;
    assert!(
        text(&twice).contains("as red and not green"),
        "{}",
        text(&twice)
    );
    let classless = run("gallery add people photos/red/0.png")?;
    assert!(
        text(&classless).contains("--class NAME"),
        "{}",
        text(&classless)
    );

    let listed = lines(&done("gallery list people --json")?)?;
    assert_eq!((listed.len(), &listed[0]["class"]), (6, &"blue".into()));
    assert_eq!(text(&done("gallery list people")?), "blue  3\nred  3\n");
    let found = lines(&done("search people photos/red/1.png -k 2 --json")?)?;
    let matches = found[0]["matches"].as_array().context("no matches")?;
    assert_eq!((matches.len(), &matches[0]["class"]), (2, &"red".into()));
    assert_eq!(matches[0]["distance"], 0.0);
    let among = lines(&done(
        "search people photos/red/1.png -k 9 --where class=blue --json",
    )?)?;
    assert_eq!(among[0]["matches"].as_array().map(Vec::len), Some(3));

    let answered = lines(&done(
        "identify people photos/red/0.png photos/blue/2.png --json",
    )?)?;
    let keys = [
        "probe",
        "known",
        "class",
        "distance",
        "probability",
        "matches",
    ];
    assert!(
        keys.iter().all(|key| answered[0].get(key).is_some()),
        "{}",
        answered[0]
    );
    assert_eq!(
        (&answered[0]["class"], &answered[0]["known"]),
        (&"red".into(), &true.into())
    );
    assert_eq!(answered[1]["class"], "blue");
    let strict = run("identify people photos --threshold 0 --report sheet.html")?;
    assert_eq!(
        strict.status.code(),
        Some(1),
        "nobody is known: {}",
        text(&strict)
    );
    assert!(
        text(&strict).contains("rank 1: 100.0 % (6 of 6)"),
        "{}",
        text(&strict)
    );
    let page = fs::read_to_string(folder.path().join("sheet.html"))?;
    assert_eq!(page.matches("class=\"probe\"").count(), 6);

    done("gallery rename people red scarlet")?;
    done("gallery remove people --where name=photos/blue/0.png")?;
    assert_eq!(text(&done("gallery list people")?), "blue  2\nscarlet  3\n");
    done("gallery export people out.jsonl")?;
    done("gallery import copy out.jsonl")?;
    assert_eq!(text(&done("gallery list copy")?), "blue  2\nscarlet  3\n");
    done("gallery compact people")?;
    assert!(text(&done("gallery check people")?).contains("5 entries sound"));
    assert!(text(&done("gallery info people")?).contains("5 entries of 2 classes"));
    Ok(())
}

#[test]
fn another_models_pictures_are_refused_until_the_gallery_is_rebuilt() -> Result<()> {
    let folder = tempfile::tempdir()?;
    furnished(folder.path())?;
    support::untrained_model_of(&folder.path().join("other.safetensors"), 8)?;
    let run = |line: &str| siamese(folder.path()).args(line.split(' ')).output();
    run("gallery create people --model model.safetensors")?;
    run("gallery add people photos")?;
    let refused = run("search people photos/red/0.png --model other.safetensors")?;
    let said = text(&refused);
    assert!(
        said.contains("model.safetensors") && said.contains("other.safetensors"),
        "{said}"
    );
    assert!(said.contains("rebuild"), "{said}");

    fs::rename(
        folder.path().join("photos/red/0.png"),
        folder.path().join("away.png"),
    )?;
    let missing = run("gallery rebuild people --model other.safetensors")?;
    assert!(
        text(&missing).contains("1 of 6 entries") && text(&missing).contains("Nothing was changed")
    );
    assert!(run("search people photos/red/1.png")?.status.success());
    let rebuilt = run("gallery rebuild people --model other.safetensors --remove-missing")?;
    assert!(
        text(&rebuilt).contains("5 entries embedded anew"),
        "{}",
        text(&rebuilt)
    );
    let found = lines(&run("search people photos/red/1.png -k 1 --json")?)?;
    assert_eq!(found[0]["matches"][0]["distance"], 0.0);
    Ok(())
}

#[test]
fn shells_and_man_know_every_command() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = siamese(folder.path())
            .args(["completions", shell])
            .output()?;
        let said = text(&output);
        assert!(
            output.status.success() && said.contains("identify"),
            "{shell}"
        );
    }
    let output = siamese(folder.path()).args(["man", "pages"]).output()?;
    assert!(output.status.success(), "{}", text(&output));
    let page = fs::read_to_string(folder.path().join("pages/siamese-gallery-add.1"))?;
    assert!(page.contains("class per subfolder"), "{page}");
    Ok(())
}
