//! End-to-end tests of `siamese evaluate`: each protocol by its command, on pictures made here.

mod support;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::{json, siamese, small_config, text, untrained_model};

/// Colours far apart, one for each class of pictures.
const COLOURS: [[u8; 3]; 6] = [
    [220, 30, 30],
    [30, 220, 30],
    [30, 30, 220],
    [230, 230, 40],
    [20, 20, 20],
    [240, 240, 240],
];

/// `count` pictures in shades of each colour: `folder/NAME/NAME_0001.jpg`, NAME being the class or person.
fn pictures(folder: &Path, count: u8) -> Result<()> {
    for (class, colour) in COLOURS.iter().enumerate() {
        let name = format!("Person_{class}");
        fs::create_dir_all(folder.join(&name))?;
        for i in 1..=count {
            let shade = |x: u32, c: u8| c.saturating_add(i).saturating_sub((x % 4) as u8);
            let pixel = |x: u32, _| image::Rgb(colour.map(|c| shade(x, c)));
            let file = folder.join(&name).join(format!("{name}_{i:04}.jpg"));
            image::RgbImage::from_fn(36, 32, pixel).save(file)?;
        }
    }
    Ok(())
}

/// A folder with pictures and a model.
fn workplace() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    pictures(&folder.path().join("pictures"), 8)?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    Ok(folder)
}

/// What `siamese evaluate …` prints, which must succeed.
fn evaluate(folder: &Path, arguments: &str) -> Result<String> {
    let arguments = arguments.split_whitespace();
    let output = siamese(folder).arg("evaluate").args(arguments).output()?;
    ensure!(output.status.success(), "{}", text(&output));
    Ok(String::from_utf8(output.stdout)?)
}

fn evaluate_json(folder: &Path, arguments: &str) -> Result<Value> {
    let said = evaluate(folder, &format!("{arguments} --json"))?;
    serde_json::from_str(&said).context(said)
}

/// What `siamese evaluate …` says as it fails.
fn failure(folder: &Path, arguments: &str) -> Result<String> {
    let arguments = arguments.split_whitespace();
    let output = siamese(folder).arg("evaluate").args(arguments).output()?;
    ensure!(!output.status.success(), "succeeded: {}", text(&output));
    let said = text(&output);
    ensure!(!said.contains("panicked"), "{said}");
    Ok(said)
}

fn assert_has_interval(figures: &Value, names: &[&str]) {
    for name in names {
        let figure = &figures[name];
        assert!(figure["value"].is_f64(), "{name}: {figures}");
        assert!(figure["interval"]["low"].is_f64(), "{name}: {figures}");
    }
}

#[test]
fn raw_pixels_get_87_of_lakes_400_trials_and_a_model_plays_the_same_runs() -> Result<()> {
    let folder = workplace()?;
    let pixels = evaluate_json(folder.path(), "--omniglot-trials")?;
    assert_eq!(
        (&pixels["correct"], &pixels["trials"]),
        (&87.into(), &400.into())
    );
    assert_has_interval(&pixels, &["lake_one_shot_accuracy"]);
    let beside = evaluate_json(folder.path(), "model.safetensors --omniglot-trials")?;
    assert_eq!(beside["raw_pixels"], pixels);
    let by_run = beside["correct_by_run"].as_array().context("no runs")?;
    let sum: u64 = by_run.iter().filter_map(Value::as_u64).sum();
    assert_eq!((by_run.len(), Some(sum)), (20, beside["correct"].as_u64()));
    let table = evaluate(folder.path(), "model.safetensors --omniglot-trials")?;
    assert!(
        table.contains("run20") && table.contains("87 of 400"),
        "{table}"
    );
    let said = failure(folder.path(), "--omniglot-trials pictures")?;
    assert!(said.contains("all_runs.zip"), "{said}");
    Ok(())
}

#[test]
fn a_pairs_file_is_judged_at_the_models_threshold_or_one_fitted_on_another_file() -> Result<()> {
    let folder = workplace()?;
    let path = |person: usize, i: usize| format!("Person_{person}/Person_{person}_{i:04}.jpg");
    let list = |first: usize| {
        let mut lines = String::from("path_a,path_b,same?\n");
        for person in 0..6 {
            let (one, two) = (path(person, first), path(person, first + 1));
            lines += &format!("{one},{two},1\n{one},{},0\n", path((person + 1) % 6, first));
        }
        lines
    };
    fs::write(folder.path().join("pairs.csv"), list(1))?;
    let others = list(5).replace('/', "\\").replace(',', ";"); // as Windows and a spreadsheet write them
    fs::write(folder.path().join("others.csv"), others)?;
    let judge = "model.safetensors --folder pictures --pairs-file pairs.csv";
    let own = evaluate_json(folder.path(), judge)?;
    assert_has_interval(&own, &["accuracy", "roc_auc", "eer", "average_precision"]);
    assert_eq!(own["roc_auc"]["value"], 1.0);
    assert_eq!(own["threshold"]["value"], 0.2);
    let fitted = format!("{judge} --threshold-at accuracy --fit-pairs others.csv");
    let report = "--report pairs.html --save-model fitted.safetensors";
    let judged = evaluate_json(folder.path(), &format!("{fitted} {report}"))?;
    assert_eq!(judged["accuracy"]["value"], 1.0);
    assert_eq!(judged["threshold"]["fitted_on"], "12 pairs of others.csv");
    let page = fs::read_to_string(folder.path().join("pairs.html"))?;
    assert!(page.contains("ROC AUC") && page.contains("Person_0_0001"));
    assert!(folder.path().join("fitted.safetensors").is_file());
    let table = evaluate(folder.path(), judge)?;
    assert!(table.contains("bootstrap over 6 identities"), "{table}");

    let said = failure(folder.path(), &format!("{judge} --threshold-at eer"))?;
    assert!(said.contains("--fit-pairs"), "{said}");
    let said = failure(
        folder.path(),
        &format!("{judge} --threshold-at eer --fit-pairs pairs.csv"),
    )?;
    assert!(
        said.contains("never fitted on the pairs reported"),
        "{said}"
    );
    fs::write(
        folder.path().join("pairs.csv"),
        "Person_0/absent.jpg,b.jpg,1\n",
    )?;
    let said = failure(folder.path(), judge)?;
    assert!(said.contains("absent.jpg"), "{said}");
    fs::write(folder.path().join("pairs.csv"), "a.jpg,b.jpg,perhaps\n")?;
    let said = failure(folder.path(), judge)?;
    assert!(
        said.contains("pairs.csv:1") && said.contains("perhaps"),
        "{said}"
    );
    Ok(())
}

#[test]
fn two_classes_of_three_are_fifteen_pairs_and_carry_no_low_rate() -> Result<()> {
    let folder = workplace()?;
    for (class, colour) in ["red", "blue"].into_iter().zip([COLOURS[0], COLOURS[2]]) {
        fs::create_dir_all(folder.path().join("few").join(class))?;
        for i in 0..3u8 {
            let file = folder.path().join(format!("few/{class}/{i}.png"));
            image::RgbImage::from_pixel(8, 8, image::Rgb(colour.map(|c| c + i))).save(file)?;
        }
    }
    let judge = "model.safetensors --folder few --report few.html";
    let judged = evaluate_json(folder.path(), judge)?;
    assert_eq!(
        judged["pairs"],
        serde_json::json!({ "like": 6, "unlike": 9 })
    );
    assert_eq!(judged["roc_auc"]["value"], 1.0);
    let rates = judged.as_object().context("no object")?.keys();
    assert_eq!(rates.filter(|name| name.starts_with("tar_at")).count(), 0);
    let page = fs::read_to_string(folder.path().join("few.html"))?;
    let said = "15 pairs (6 like, 9 unlike) of 6 images";
    assert!(page.contains(said) && page.contains("left out: tar_at_far_1e-1"));
    let table = evaluate(folder.path(), judge)?;
    assert!(
        table.contains(said) && table.contains("there are 9 unlike pairs"),
        "{table}"
    );
    Ok(())
}

#[test]
fn pairs_that_leak_are_said_or_refused_whatever_their_files_are_called() -> Result<()> {
    let folder = workplace()?;
    let file = |person: usize, i: usize| format!("Person_{person}/Person_{person}_{i:04}.jpg");
    let copy = folder.path().join("pictures/copy.jpg");
    fs::copy(folder.path().join("pictures").join(file(0, 1)), copy)?;
    let mut lines = String::new();
    for person in 0..6 {
        let (one, two) = (file(person, 1), file(person, 2));
        lines += &format!("{one},{two},1\n{one},{},0\n", file((person + 1) % 6, 2));
    }
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    let leaks = format!(
        "{lines}{0},{0},1\n{1},copy.jpg,1\n./{1},{0},1\n",
        file(0, 1),
        file(0, 2)
    );
    write("pairs.csv", &leaks)?;
    let judge = "model.safetensors --folder pictures --pairs-file pairs.csv";
    let said = evaluate(folder.path(), judge)?;
    assert!(said.contains("12 pairs (6 like, 6 unlike)"), "{said}");
    assert!(
        said.contains("1 pair of a picture with itself is left out"),
        "{said}"
    );
    assert!(
        said.contains("2 pairs given before or mirrored are counted once"),
        "{said}"
    );

    write(
        "fit.csv",
        &format!(
            "./{},copy.jpg,1\n{},{},0\n",
            file(0, 2),
            file(3, 5),
            file(4, 5)
        ),
    )?;
    let fitted = format!("{judge} --threshold-at accuracy --fit-pairs fit.csv");
    let said = failure(folder.path(), &fitted)?;
    assert!(
        said.contains("1 of the 2 pairs of fit.csv is also in pairs.csv"),
        "{said}"
    );

    write("pairs.csv", &format!("{lines}copy.jpg,{},0\n", file(0, 2)))?;
    let said = failure(folder.path(), judge)?;
    assert!(
        said.contains("1 of the 13 pairs contradict") && said.contains("copy.jpg"),
        "{said}"
    );
    Ok(())
}

#[test]
fn labels_the_wrong_way_round_are_told_from_chance_and_can_be_swapped() -> Result<()> {
    let folder = workplace()?;
    let file = |person: usize, i: usize| format!("Person_{person}/Person_{person}_{i:04}.jpg");
    let mut lines = String::new();
    for person in 0..6 {
        for i in 1..5 {
            let (one, other) = (file(person, i), file((person + 1) % 6, i + 1));
            lines += &format!("{one},{},0\n{one},{other},1\n", file(person, i + 1));
        }
    }
    fs::write(folder.path().join("pairs.csv"), lines)?;
    let judge = "model.safetensors --folder pictures --pairs-file pairs.csv --report p.html";
    let said = evaluate(folder.path(), judge)?;
    assert!(
        said.contains("like and unlike seem swapped") && said.contains("add --swapped"),
        "{said}"
    );
    let page = fs::read_to_string(folder.path().join("p.html"))?;
    assert!(page.contains("seem swapped") && !page.contains("this is chance"));
    let swapped = evaluate(folder.path(), &format!("{judge} --swapped"))?;
    assert!(!swapped.contains("seem swapped"), "{swapped}");
    assert!(
        swapped.contains("roc_auc                       1.0000"),
        "{swapped}"
    );
    Ok(())
}

#[test]
fn exported_embeddings_carry_names_and_make_a_report() -> Result<()> {
    let folder = workplace()?;
    evaluate(
        folder.path(),
        "model.safetensors --folder pictures --export e.npz",
    )?;
    let file = siamese_core::metrics::npz::read_npz(&folder.path().join("e.npz"))?;
    assert_eq!(file.names.classes[5], "Person_5");
    assert_eq!(file.names.files.len(), 48);
    assert!(
        file.names.files[47].ends_with("Person_5/Person_5_0008.jpg"),
        "{:?}",
        file.names
    );
    let said = evaluate(folder.path(), "--embeddings e.npz --report e.html")?;
    assert!(
        said.contains("all embeddings: 1128 pairs (168 like, 960 unlike)"),
        "{said}"
    );
    assert!(said.contains("half not fitted on"), "{said}");
    let page = fs::read_to_string(folder.path().join("e.html"))?;
    for words in ["Person_3", "ROC AUC", "half not fitted on", "<b>t-SNE</b>"] {
        assert!(page.contains(words), "{words}");
    }
    Ok(())
}

#[test]
fn lfw_is_judged_fold_by_fold() -> Result<()> {
    let folder = workplace()?;
    let mut lines = String::from("3\t2\n");
    for fold in 0..3 {
        let (one, other) = (2 * fold, 2 * fold + 1);
        lines += &format!("Person_{one}\t1\t2\nPerson_{other}\t3\t4\n");
        lines += &format!("Person_{one}\t1\tPerson_{other}\t5\n");
        lines += &format!("Person_{one}\t6\tPerson_{other}\t2\n");
    }
    fs::write(folder.path().join("pairs.txt"), format!("\u{feff}{lines}"))?;
    let judge = "model.safetensors --folder pictures --lfw pairs.txt";
    let judged = evaluate_json(folder.path(), judge)?;
    assert_has_interval(&judged, &["accuracy"]);
    assert_eq!(judged["accuracy"]["value"], 1.0);
    assert_eq!(judged["roc_auc"]["value"], 1.0);
    assert_eq!(judged["accuracy_standard_error"]["value"], 0.0);
    let table = evaluate(folder.path(), judge)?;
    assert!(
        table.contains("accuracy 1.0000 ± 0.0000: mean and standard error of 3 folds"),
        "{table}"
    );
    fs::write(folder.path().join("pairs.txt"), "3\t2\nPerson_0\t1\n")?;
    let said = failure(folder.path(), judge)?;
    assert!(said.contains("pairs.txt:2"), "{said}");
    let said = failure(folder.path(), "model.safetensors --lfw pairs.txt")?;
    assert!(said.contains("--folder"), "{said}");
    Ok(())
}

#[test]
fn episodes_of_a_folder_and_of_its_exported_embeddings_agree() -> Result<()> {
    let folder = workplace()?;
    let episodes = "--few-shot all --way 3 --shot 1,4 --queries 4 --episodes 50";
    let images = evaluate_json(
        folder.path(),
        &format!("model.safetensors --folder pictures --export e.npz {episodes}"),
    )?;
    assert_has_interval(&images, &["few_shot_3way_1shot", "few_shot_3way_4shot"]);
    assert_has_interval(
        &images,
        &["knn_accuracy", "nearest_centroid_accuracy", "map_at_r"],
    );
    let table = evaluate_json(folder.path(), &format!("--embeddings e.npz {episodes}"))?;
    for name in ["few_shot_3way_1shot", "few_shot_3way_4shot", "r_precision"] {
        assert_eq!(images[name], table[name], "{name}");
    }
    let too_many = "model.safetensors --folder pictures --few-shot all --queries 20";
    let said = failure(folder.path(), too_many)?;
    assert!(
        said.contains("has 8 items") && said.contains("--queries"),
        "{said}"
    );
    let said = failure(folder.path(), "--embeddings e.npz --few-shot fc100")?;
    assert!(said.contains("--few-shot all"), "{said}");
    Ok(())
}

#[test]
fn a_threshold_is_fitted_on_other_classes_and_verify_uses_it() -> Result<()> {
    let folder = workplace()?;
    let judge = "model.safetensors --folder pictures --pairs 400 --threshold-at";
    let judged = evaluate_json(
        folder.path(),
        &format!("{judge} far=0.1 --save-model strict.safetensors"),
    )?;
    let threshold = &judged["threshold"];
    assert_eq!(threshold["fitted_on"], "276 pairs of every second class");
    assert_eq!(threshold["target"], "FAR of at most 0.1");
    let picture = "pictures/Person_0/Person_0_0001.jpg";
    let output = siamese(folder.path())
        .args(["verify", "strict.safetensors", picture, picture, "--json"])
        .output()?;
    let answer: Value = serde_json::from_slice(&output.stdout).context(text(&output))?;
    assert_eq!(answer["threshold"], threshold["value"]);
    assert!(answer["probability"].is_f64(), "{answer}");
    let other = "pictures/Person_4/Person_4_0001.jpg";
    let output = siamese(folder.path())
        .args(["verify", "strict.safetensors", picture, other])
        .output()?;
    assert!(!text(&output).contains("yet"), "{}", text(&output));
    let table = evaluate(folder.path(), &format!("{judge} eer"))?;
    assert!(table.contains("the threshold was not fitted on"), "{table}");
    assert!(
        table.contains("\ntar_at_far_1e-1") && table.contains("\nfar "),
        "{table}"
    );
    assert!(table.contains("276 pairs (84 like, 192 unlike)"), "{table}");
    assert!(table.contains("left out: tar_at_far_1e-2"), "{table}");
    let said = failure(folder.path(), &format!("{judge} 0.5"))?;
    assert!(said.contains("far=0.001"), "{said}");
    let said = failure(folder.path(), &format!("{judge} far=1e-9"))?;
    assert!(
        said.contains("with 192 unlike pairs; at least 10000000000 are needed"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_run_split_by_classes_shows_seen_and_unseen_ones_side_by_side() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = small_config(folder.path(), 1)?;
    let output = siamese(folder.path())
        .args([
            "train", "--source", "sample", "--preset", "cifar-fs", "--name", "run", "--config",
        ])
        .arg(config)
        .output()?;
    ensure!(output.status.success(), "{}", text(&output));
    let two_columns = |said: &str, row: &str| {
        let mut lines = said.lines();
        let head = lines.find(|line| line.contains("unseen classes"));
        let found = lines.find(|line| line.starts_with(row));
        head.is_some_and(|head| head.matches("seen classes").count() == 2)
            && found.is_some_and(|line| line.matches(" – ").count() == 2)
    };
    assert!(two_columns(&text(&output), "ROC AUC"), "{}", text(&output));
    let result = json(&folder.path().join("runs/run/result.json"))?;
    let judge = "runs/run --source sample --pairs 2000";
    let episodes = "--few-shot cifar-fs --episodes 20 --queries 5 --report both.html";
    let judged = evaluate_json(folder.path(), &format!("{judge} {episodes}"))?;
    for name in ["roc_auc", "accuracy", "knn_accuracy"] {
        assert_eq!(
            judged[name], result["figures"][name],
            "{name} of unseen classes"
        );
        assert_eq!(
            judged["seen_classes"][name], result["seen_classes"][name],
            "{name} of seen classes"
        );
    }
    assert_has_interval(&judged, &["few_shot_5way_1shot"]);
    assert_has_interval(&judged["seen_classes"], &["few_shot_5way_1shot"]);
    assert!(fs::read_to_string(folder.path().join("both.html"))?.contains("unseen classes"));
    let table = evaluate(folder.path(), judge)?;
    assert!(two_columns(&table, "roc_auc"), "{table}");

    let fitted = evaluate_json(folder.path(), &format!("{judge} --threshold-at far=0.1"))?;
    assert_eq!(fitted["threshold"]["fitted_on"], "2000 validation pairs");
    assert_ne!(fitted["threshold"]["value"], judged["threshold"]["value"]);
    let fc100 = evaluate(
        folder.path(),
        &format!("{judge} --few-shot fc100 --queries 5"),
    )?;
    assert!(
        fc100.contains("of these classes were trained on"),
        "{fc100}"
    );
    Ok(())
}

#[test]
fn a_report_maps_the_embedding_and_the_projector_gets_a_row_for_each_picture() -> Result<()> {
    let folder = workplace()?;
    let judge = |report: &str| -> Result<String> {
        let arguments = "model.safetensors --folder pictures --pairs 60 --projector projector";
        evaluate(folder.path(), &format!("{arguments} --report {report}"))?;
        Ok(fs::read_to_string(folder.path().join(report))?)
    };
    let html = judge("first.html")?;
    let map = html
        .split("<section id=\"map\">")
        .nth(1)
        .context("no map")?;
    assert!(map.contains("<b>t-SNE</b> <span>48 embeddings"), "{map}");
    assert!(map.contains("<b>PCA, "));
    assert!(map.matches("<image ").count() >= 2 * COLOURS.len());
    assert_eq!(html, judge("second.html")?, "the same seed, another map");

    let read = |name: &str| fs::read_to_string(folder.path().join("projector").join(name));
    let tensors = read("tensors.tsv")?;
    assert_eq!(tensors.lines().count(), 48);
    assert!(tensors.lines().all(|line| line.split('\t').count() == 16));
    let metadata = read("metadata.tsv")?;
    assert!(metadata.starts_with("class\timage\nPerson_0\t0\n"));
    assert_eq!(metadata.lines().count(), 49);
    let config = read("projector_config.pbtxt")?;
    assert!(config.contains("single_image_dim: 32"), "{config}");
    let sprite = image::open(folder.path().join("projector/sprite.png"))?;
    assert_eq!((sprite.width(), sprite.height()), (7 * 32, 7 * 32));
    Ok(())
}
