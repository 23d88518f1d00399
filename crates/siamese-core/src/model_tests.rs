//! A model file is read back as it was written, or refused with the reason.

use super::*;
use candle_core::DType;

use crate::face_crop::FaceAlign;
use crate::head::ComparisonConfig;
use crate::input::Fit;

fn small(seed: u64) -> Result<Tower> {
    let config = TowerConfig {
        input: ImageInput {
            height: 4,
            width: 6,
            mean: vec![0.5],
            std: vec![0.25],
            fit: Fit::Pad,
        },
        body: Body::Stages(Stages {
            stages: vec![Stage {
                channels: 4,
                convolutions: 1,
            }],
            ..Stages::default()
        }),
        embedding: 5,
        ..TowerConfig::system_c()
    };
    Ok(Tower::new(config, seed, &Device::Cpu)?)
}

fn model() -> Result<Model> {
    let tower = small(4)?;
    Ok(Model {
        threshold: Some(Threshold {
            value: 0.625,
            target: "best accuracy".into(),
            fitted_on: "100 validation pairs".into(),
            calibration: None,
            unlike: None,
            distance: Distance::Cosine,
            weights: tower.parameters().fingerprint()?,
        }),
        tower,
        head: None,
        classes: None,
        distance: Distance::Cosine,
        domain: None,
        faces: None,
        provenance: Provenance {
            data: "Müllers \"Möbel\"".into(),
            ..Provenance::default()
        },
    })
}

fn embeddings(model: &Model) -> Result<Vec<Vec<f32>>> {
    let images = Tensor::arange(0f32, 24.0, &Device::Cpu)?.reshape((1, 1, 4, 6))?;
    Ok(model.tower.embed(&images)?.to_vec2()?)
}

/// Vectors of three classes.
fn classes() -> Result<ClassHead> {
    let values: Vec<f32> = (0..15).map(|i| (i as f32 * 0.9).sin()).collect();
    let vectors = Tensor::from_vec(values, (3, 5), &Device::Cpu)?;
    ClassHead::new(&vectors, ["a", "b", "ü"].map(String::from).to_vec(), 30.0)
}

#[test]
fn the_classes_come_back_and_the_threshold_stays() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let plain = model()?;
    let model = Model {
        classes: Some(classes()?),
        ..plain.clone()
    };
    assert_eq!(model.fingerprint()?, plain.fingerprint()?);
    model.save(&path)?;
    let read = Model::load(&path, &Device::Cpu)?;
    let read = read.classes.expect("classes");
    assert_eq!(read.names(), ["a", "b", "ü"]);
    let embedding = Tensor::new(&[[0.1f32, 0.4, -0.3, 0.2, 0.9]], &Device::Cpu)?;
    let bits =
        |head: &ClassHead| -> Result<Vec<Vec<f32>>> { Ok(head.embed(&embedding)?.to_vec2()?) };
    assert_eq!(bits(&read)?, bits(&classes()?)?);
    let short = classes()?.vectors().narrow(1, 0, 4)?;
    let short = ClassHead::new(&short, read.names().to_vec(), 30.0)?;
    let error = Model {
        classes: Some(short),
        ..plain
    };
    assert!(chain(error.save(&path)).contains("of length 4"));
    Ok(())
}

/// The whole chain of what went wrong.
fn chain<T>(result: Result<T>) -> String {
    result
        .err()
        .map_or(String::new(), |e| format!("{:#}", anyhow::Error::from(e)))
}

#[test]
fn a_saved_model_is_the_same_when_loaded_and_the_same_bytes_when_saved_again() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let [path, again] = ["model.safetensors", "again"].map(|name| folder.path().join(name));
    let model = model()?;
    model.save(&path)?;
    let loaded = Model::load(&path, &Device::Cpu)?;
    assert_eq!(embeddings(&model)?, embeddings(&loaded)?);
    assert_eq!(loaded.tower.config(), model.tower.config());
    assert_eq!(
        (loaded.distance, &loaded.threshold, &loaded.provenance),
        (model.distance, &model.threshold, &model.provenance)
    );
    loaded.save(&again)?;
    assert_eq!(std::fs::read(&path)?, std::fs::read(&again)?);
    assert_eq!(
        std::fs::read_dir(folder.path())?.count(),
        2,
        "a temporary file was left"
    );
    Ok(())
}

#[test]
fn how_faces_are_cut_travels_with_the_model_and_what_cannot_be_is_not_written() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let mut model = model()?;
    let faces = FaceCrop {
        side: 96,
        margin: 0.125,
        align: FaceAlign::Box,
        grey: true,
        min_face: 40.5,
        turn: true,
    };
    model.faces = Some(faces);
    model.save(&path)?;
    assert_eq!(Model::load(&path, &Device::Cpu)?.faces, Some(faces));
    model.faces = Some(FaceCrop { side: 0, ..faces });
    assert!(chain(model.save(&path)).contains("faces.side"));
    Ok(())
}

#[test]
fn a_domain_travels_with_its_model_and_one_of_another_tower_is_not_written() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let mut model = model()?;
    let images: Vec<Vec<u8>> = (0..9u8).map(|i| vec![i; 24]).collect();
    let domain = Domain::fit((&images, &[0; 9]), &images, (4, 6, 1), 0.0)?;
    model.domain = Some(domain.clone());
    model.save(&path)?;
    assert_eq!(Model::load(&path, &Device::Cpu)?.domain, Some(domain));

    let coloured = Domain::fit((&images, &[0; 9]), &images, (4, 2, 3), 0.0)?;
    model.domain = Some(coloured);
    assert!(chain(model.save(&path)).contains("of 3 channels"));
    Ok(())
}

#[test]
fn a_head_travels_with_its_model_and_its_threshold_is_of_both() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let [path, again] = ["model.safetensors", "again"].map(|name| folder.path().join(name));
    let mut model = model()?;
    let config = ComparisonConfig {
        hidden: vec![3],
        ..Default::default()
    };
    model.head = Some(Head::new(config, 5, 9, &Device::Cpu)?);
    assert!(chain(model.save(&path)).contains("other weights"));
    let fingerprint = model.fingerprint()?;
    model.threshold.as_mut().unwrap().weights = fingerprint;
    model.save(&path)?;
    let loaded = Model::load(&path, &Device::Cpu)?;
    assert_eq!(loaded.metric()?, model.metric()?);
    assert!(loaded.metric()?.is_learned());
    assert_eq!(loaded.fingerprint()?, model.fingerprint()?);
    loaded.save(&again)?;
    assert_eq!(std::fs::read(&path)?, std::fs::read(&again)?);

    let (mut tensors, metadata) = tensor_file::read(&path, &Device::Cpu)?;
    tensors.remove("head.layers.1.bias");
    let metadata = BTreeMap::from([(METADATA_KEY, metadata[METADATA_KEY].as_str())]);
    tensor_file::write(&path, &tensors.into_iter().collect(), &metadata)?;
    let said = chain(Model::load(&path, &Device::Cpu));
    assert!(said.contains("missing: layers.1.bias"), "{said}");
    model.head = Some(Head::new(ComparisonConfig::default(), 6, 9, &Device::Cpu)?);
    assert!(chain(model.save(&path)).contains("embeddings of 6"));
    Ok(())
}

#[test]
fn a_file_of_format_1_opens_and_stretches_its_pictures() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("old.safetensors");
    let model = model()?;
    let weights = model.tower.parameters().fingerprint()?;
    let description = format!(
        r#"{{"format":1,"tower":{{"input":{{"height":4,"width":6,"mean":[0.5],"std":[0.25]}},
        "stages":[{{"channels":4,"convolutions":1}}],"leaky_slope":0.01,"dropout":0.5,"embedding":5,"normalize":true}},
        "distance":"cosine","threshold":{{"value":0.625,"target":"best accuracy","fitted_on":"100 validation pairs",
        "calibration":{{"kind":"logistic","slope":9.5,"intercept":-6.0}},"distance":"cosine","weights":"{weights}"}},
        "provenance":{{"trained_on":"CIFAR-100","seed":4,"epoch":3,"version":"0.1.0"}}}}"#
    );
    let metadata = BTreeMap::from([("format", "pt"), (METADATA_KEY, description.as_str())]);
    tensor_file::write(&path, &model.tower.parameters().snapshot()?, &metadata)?;
    let loaded = Model::load(&path, &Device::Cpu)?;
    assert_eq!(embeddings(&model)?, embeddings(&loaded)?);
    assert_eq!(loaded.tower.config().input.fit, Fit::Stretch);
    assert_eq!(loaded.provenance.epoch, 3);
    assert!(
        loaded
            .threshold
            .is_some_and(|t| t.is_same(0.62) && !t.is_same(0.625))
    );
    Ok(())
}

#[test]
fn what_load_would_refuse_is_not_written() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let with = |change: fn(&mut Model)| -> Result<String> {
        let mut model = model()?;
        change(&mut model);
        Ok(chain(model.save(&path)))
    };
    let said = with(|m| m.distance = Distance::Manhattan)?;
    assert!(
        said.contains("model.safetensors") && said.contains("cosine distance"),
        "{said}"
    );
    let said = with(|m| m.tower = small(5).unwrap())?;
    assert!(said.contains("other weights"), "{said}");
    let said = with(|m| m.threshold.as_mut().unwrap().value = f64::NAN)?;
    assert!(said.contains("null"), "{said}");
    assert!(!path.exists());
    Ok(())
}

#[test]
fn changed_files_are_refused_with_the_reason() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    model()?.save(&path)?;
    let (tensors, metadata) = tensor_file::read(&path, &Device::Cpu)?;
    let load = |change: &dyn Fn(&mut BTreeMap<String, Tensor>), from: &str, to: &str| {
        let mut tensors = tensors.clone().into_iter().collect();
        change(&mut tensors);
        let description = metadata[METADATA_KEY].replace(from, to);
        let metadata = BTreeMap::from([(METADATA_KEY, description.as_str())]);
        tensor_file::write(&path, &tensors, &metadata).unwrap();
        chain(Model::load(&path, &Device::Cpu))
    };
    let keep = |_: &mut BTreeMap<String, Tensor>| ();
    assert_eq!(load(&keep, "", ""), "");
    let said = load(&|t| drop(t.remove("tower.head.bias")), "", "");
    assert!(said.contains("missing: head.bias"), "{said}");
    let ones = || Tensor::ones(5, DType::F32, &Device::Cpu).unwrap();
    // the tower's own tensor of that name lies under `tower.`
    let said = load(&|t| drop(t.insert("head.bias".into(), ones())), "", "");
    assert!(
        said.contains("not known to the network: head.bias"),
        "{said}"
    );
    let said = load(
        &|t| drop(t.insert("tower.head.bias".into(), ones())),
        "",
        "",
    );
    assert!(said.contains("other weights"), "{said}");
    let said = load(
        &keep,
        r#""distance":"cosine","threshold""#,
        r#""distance":"manhattan","threshold""#,
    );
    assert!(said.contains("cosine distance"), "{said}");
    let said = load(&keep, r#""format":2"#, r#""format":3"#);
    assert!(said.contains("format is 3"), "{said}");
    let said = load(&keep, r#""embedding":5"#, r#""embedding":7"#);
    assert!(
        said.contains("head.weight has shape [5, 24] instead of [7, 24]"),
        "{said}"
    );
    Ok(())
}

#[test]
fn missing_damaged_and_foreign_files_are_errors_that_name_the_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let load = || chain(Model::load(&path, &Device::Cpu));
    assert!(load().contains("model.safetensors"));
    std::fs::write(&path, b"not a model")?;
    assert!(load().contains("model.safetensors"));
    let tensor = Tensor::ones(2, DType::F32, &Device::Cpu)?;
    tensor.save_safetensors("x", &path)?;
    let said = load();
    assert!(
        said.contains("model.safetensors") && said.contains("siamese train"),
        "{said}"
    );
    Ok(())
}
