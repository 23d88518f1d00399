//! End-to-end tests of the `siamese` binary, on the bundled sample and without a network.

mod support;

use std::process::{Command, Output};

use anyhow::{Context, Result};
use serde_json::Value;
use support::{json, picture, siamese, small_config, text};

#[test]
fn without_data_and_network_it_trains_on_the_sample_and_says_so_loudly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    let output = siamese(folder.path())
        .args(["train", "cifar100", "--name", "first", "--config"])
        .arg(&config)
        .output()?;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("WARNING: this is only the bundled sample"),
        "{said}"
    );
    assert!(
        said.contains("ROC AUC") && said.contains("recall@1"),
        "{said}"
    );
    let run = folder.path().join("runs/first");
    let result = json(&run.join("result.json"))?;
    assert_eq!(result["sample"], true);
    for name in ["accuracy", "roc_auc", "eer", "recall_at_1"] {
        assert!(
            result["figures"][name]["interval"]["low"].is_f64(),
            "{name}: {result}"
        );
    }
    for (file, words) in [("report.html", "bundled sample"), ("README.md", "sample")] {
        assert!(
            std::fs::read_to_string(run.join(file))?.contains(words),
            "{file} does not speak of the sample"
        );
    }
    Ok(())
}

#[test]
fn source_hub_without_a_network_is_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = siamese(folder.path())
        .args(["train", "cifar100", "--source", "hub"])
        .output()?;
    assert!(!output.status.success());
    assert!(text(&output).contains("127.0.0.1:9"), "{}", text(&output));
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_stop_leaves_a_checkpoint_and_resume_ends_with_the_same_weights() -> Result<()> {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 3)?;
    let train = |name: &str| {
        let mut command = siamese(folder.path());
        command
            .args([
                "train", "cifar100", "--source", "sample", "--name", name, "--config",
            ])
            .arg(&config);
        command
    };
    let whole = train("whole").output()?;
    assert!(whole.status.success(), "{}", text(&whole));

    let mut child = train("broken")
        .env("RAYON_NUM_THREADS", "1")
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    for line in lines.by_ref() {
        if line?.starts_with("epoch   1/3") {
            break;
        }
    }
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()?;
    assert!(kill.success());
    let rest: Vec<String> = lines.collect::<std::io::Result<_>>()?;
    assert_eq!(child.wait()?.code(), Some(143), "{rest:?}");
    assert!(
        rest.iter().any(|line| line.contains("--resume")),
        "{rest:?}"
    );

    // the data is where it was, unless told otherwise
    let resumed = siamese(folder.path())
        .args(["train", "--resume", "runs/broken"])
        .output()?;
    assert!(resumed.status.success(), "{}", text(&resumed));
    let figures = |name: &str| {
        Ok::<_, anyhow::Error>(
            json(&folder.path().join("runs").join(name).join("result.json"))?["figures"].clone(),
        )
    };
    assert_eq!(figures("whole")?, figures("broken")?);
    Ok(())
}

#[test]
fn a_trained_model_is_evaluated_verified_and_compared() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    let run = |arguments: &[&str]| -> Result<Output> {
        Ok(siamese(folder.path()).args(arguments).output()?)
    };
    let config = config.to_string_lossy();
    for name in ["one", "two"] {
        let output = run(&[
            "train", "--source", "sample", "--config", &config, "--name", name,
        ])?;
        assert!(output.status.success(), "{}", text(&output));
    }

    let export = ["--export", "sample.npz", "--report", "judged.html"];
    let output = run(&[
        &[
            "evaluate",
            "runs/one",
            "--source",
            "sample",
            "--json",
            "--pairs",
            "2000",
            "--mirrored",
        ],
        &export[..],
    ]
    .concat())?;
    assert!(output.status.success(), "{}", text(&output));
    let judged: Value = serde_json::from_slice(&output.stdout)?;
    let trained = json(&folder.path().join("runs/one/result.json"))?;
    assert_eq!(
        judged["roc_auc"], trained["figures"]["roc_auc"],
        "training and evaluation disagree"
    );
    for figure in ["roc_auc", "recall_at_1", "knn_accuracy"] {
        let mirrored = &judged[format!("{figure}_mirrored")];
        assert!(
            mirrored.is_object() && *mirrored != judged[figure],
            "{figure}: {mirrored}"
        );
    }
    assert!(folder.path().join("judged.html").is_file());

    let output = run(&[
        "evaluate",
        "--embeddings",
        "sample.npz",
        "--json",
        "--pairs",
        "2000",
    ])?;
    assert!(output.status.success(), "{}", text(&output));
    let table: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(
        table["recall_at_1"], judged["recall_at_1"],
        "a model and its exported embeddings disagree"
    );

    picture(&folder.path().join("red.png"), [200, 30, 20])?;
    picture(&folder.path().join("blue.png"), [20, 30, 200])?;
    let output = run(&["verify", "runs/one", "red.png", "red.png", "--json"])?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(answer["same"], true);
    let output = run(&["verify", "runs/one", "red.png", "blue.png", "--json"])?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let same = answer["same"].as_bool().context("no answer")?;
    assert_eq!(output.status.code(), Some(i32::from(!same)));
    let output = run(&["verify", "runs/one", "red.png", "green.png"])?;
    assert!(
        output.status.code() == Some(2) && text(&output).contains("green.png"),
        "{}",
        text(&output)
    );

    let output = run(&["compare", "runs/one", "runs/two"])?;
    assert!(
        output.status.success() && text(&output).contains("roc_auc"),
        "{}",
        text(&output)
    );
    assert!(folder.path().join("compare.html").is_file());
    Ok(())
}

#[test]
fn bad_input_is_one_clear_line_and_a_failure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("broken.json"), "{ \"preset\": 3")?;
    for (arguments, expected) in [
        (vec!["train", "--preset", "fast"], "quick"),
        (vec!["train", "--data", "nowhere"], "nowhere"),
        (vec!["train", "--resume", "."], "config.json"),
        (vec!["train"], "a folder with a subfolder per class"),
        (
            vec![
                "train",
                "cifar100",
                "--source",
                "sample",
                "--set",
                "augment.crop_pading=1",
            ],
            "did you mean \"crop_padding\"",
        ),
        (vec!["train", "--config", "broken.json"], "broken.json"),
        (vec!["train", "--device", "gpu"], "cuda:N"),
        (
            vec![
                "train",
                "cifar100",
                "--source",
                "sample",
                "--learning-rate",
                "-1",
            ],
            "learning",
        ),
    ] {
        let output = siamese(folder.path()).args(&arguments).output()?;
        let said = text(&output);
        assert!(!output.status.success(), "{arguments:?} succeeded: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    assert!(
        !folder.path().join("runs").exists(),
        "a failed start left a run folder"
    );
    Ok(())
}

#[test]
fn a_data_set_is_checked_and_what_is_wrong_is_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for class in ["cat", "dog"] {
        std::fs::create_dir_all(folder.path().join("pets").join(class))?;
    }
    let pet = |name: &str| folder.path().join("pets").join(name);
    picture(&pet("cat/red.png"), [200, 30, 20])?;
    picture(&pet("cat/blue.png"), [20, 30, 200])?;
    picture(&pet("dog/red.bmp"), [200, 30, 20])?;
    picture(&pet("dog/cut.jpg"), [0, 90, 0])?;
    let whole = std::fs::read(pet("dog/cut.jpg"))?;
    std::fs::write(pet("dog/cut.jpg"), &whole[..whole.len() - 2])?;

    let check = |arguments: &[&str]| -> Result<(Value, String)> {
        let output = siamese(folder.path())
            .args(["data", "check", "--json", "--report", "check.html"])
            .args(arguments)
            .output()?;
        assert!(output.status.success(), "{}", text(&output));
        let page = std::fs::read_to_string(folder.path().join("check.html"))?;
        Ok((serde_json::from_slice(&output.stdout)?, page))
    };
    let (found, page) = check(&["--folder", "pets"])?;
    assert_eq!(found["images"], 3);
    assert_eq!(found["exact"][0]["second"], "dog/red.bmp");
    assert_eq!(found["unreadable"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["lone_classes"], serde_json::json!(["dog"]));
    assert_eq!(page.matches("<img ").count(), 2, "the twins");
    for words in [
        "The same picture in two classes",
        "cut.jpg",
        "Classes with one picture",
    ] {
        assert!(page.contains(words), "{words}");
    }

    let (found, page) = check(&["--source", "sample"])?;
    assert_eq!(found["images"], serde_json::json!([4000, 1000]));
    assert!(page.contains("bundled sample"));

    leaky_set(&folder.path().join("leaky"))?;
    let (found, page) = check(&["--data", "leaky"])?;
    assert_eq!(found["images"], serde_json::json!([8, 3]));
    let leaks = found["exact_leaks"].as_array().context("no leaks")?;
    assert_eq!(leaks.len(), 1, "{found}");
    assert_eq!(
        (&leaks[0]["first"], &leaks[0]["second"]),
        (&5.into(), &2.into())
    );
    assert!(page.matches("<img ").count() >= 2, "the leak is not shown");
    assert!(page.contains("The same image in both splits"));
    Ok(())
}

/// CIFAR-100's records of two classes, the last test image being a training image too.
fn leaky_set(folder: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let record = |seed: usize| -> Vec<u8> {
        let pixel = |i: usize| ((i * (2 * seed + 3) + i / 7 * seed) % 251) as u8;
        let labels = [0, (seed % 2) as u8];
        labels.into_iter().chain((0..3072).map(pixel)).collect()
    };
    let records = |seeds: &[usize]| {
        seeds
            .iter()
            .flat_map(|&seed| record(seed))
            .collect::<Vec<u8>>()
    };
    std::fs::write(folder.join("train.bin"), records(&[0, 1, 2, 3, 4, 5, 6, 7]))?;
    std::fs::write(folder.join("test.bin"), records(&[20, 21, 5]))?;
    std::fs::write(folder.join("fine_label_names.txt"), "apple\nbaby\n")?;
    std::fs::write(folder.join("coarse_label_names.txt"), "things\n")?;
    Ok(())
}

#[test]
fn a_folder_of_loose_pictures_is_trained_on_without_labels() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos)?;
    for i in 0..60u8 {
        let colour = [i.wrapping_mul(37), i.wrapping_mul(91), i.wrapping_mul(151)];
        picture(&photos.join(format!("{i}.png")), colour)?;
    }
    let train = |arguments: &[&str]| {
        let mut command = siamese(folder.path());
        command.args(["train", "photos", "--epochs", "2", "--size", "16"]);
        command.args(arguments).output()
    };
    let output = train(&["--name", "flat"])?;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "60 pictures, of whose classes nothing is known",
        "two changed views",
        "SimCLR",
        "by whether the two views",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let judged = siamese(folder.path())
        .args(["evaluate", "runs/flat"])
        .output()?;
    assert!(judged.status.success(), "{}", text(&judged));
    let refused = train(&["--loss", "proxy_anchor"])?;
    assert!(!refused.status.success());
    assert!(
        text(&refused).contains("without labels"),
        "{}",
        text(&refused)
    );
    // labels that are there are passed over, and so is the preset that knows them
    let passed_over = siamese(folder.path())
        .args([
            "train",
            "cifar100",
            "--source",
            "sample",
            "--no-labels",
            "--batch",
            "64",
            "--dry-run",
        ])
        .output()?;
    let said = text(&passed_over);
    assert!(passed_over.status.success(), "{said}");
    assert!(
        said.contains("NT-Xent") && said.contains("of 64 images"),
        "{said}"
    );
    Ok(())
}
