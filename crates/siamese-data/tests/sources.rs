//! Data sets with a training and a test part: the bundled sample, the forms of CIFAR-100, the packed file.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use siamese_data::{
    DataError, Dataset, HubOptions, ImageSet, OpenOptions, Origin, Progress, SourceChoice,
    load_cifar100, open, stratified_split,
};
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sample_folder() -> PathBuf {
    repository().join("datasets/uoft-cs/cifar100/cifar100")
}

/// Options that keep decoded sets in `folder` and reach no network.
fn options(folder: &TempDir) -> OpenOptions {
    OpenOptions {
        cache: Some(folder.path().join("packed")),
        datasets: Some(repository().join("datasets")),
        hub: HubOptions {
            cache: folder.path().join("hub"),
            offline: true,
            ..HubOptions::from_env()
        },
        progress: Progress::Silent,
        ..OpenOptions::default()
    }
}

fn load_path(folder: &TempDir, path: &Path) -> Result<Dataset, DataError> {
    Dataset::open(path, &options(folder))
}

fn load_sample(folder: &TempDir) -> Dataset {
    load_cifar100(&OpenOptions {
        source: SourceChoice::Sample,
        ..options(folder)
    })
    .expect("the bundled sample")
}

fn assert_same(a: &ImageSet, b: &ImageSet) {
    assert_eq!(a.labels, b.labels);
    assert_eq!(a.coarse_labels, b.coarse_labels);
    assert_eq!((&a.classes, &a.superclasses), (&b.classes, &b.superclasses));
    let differing = (0..a.len()).find(|&i| a.image(i).unwrap() != b.image(i).unwrap());
    assert_eq!(differing, None);
}

/// Original records, written the obvious way.
fn records(set: &ImageSet) -> Vec<u8> {
    let coarse = set.coarse_labels.as_ref().expect("superclasses");
    let mut records = Vec::new();
    for (i, coarse) in coarse.iter().enumerate() {
        records.push(*coarse as u8);
        records.push(set.labels[i] as u8);
        for channel in 0..3 {
            for row in 0..32 {
                for column in 0..32 {
                    records.push(set.image(i).unwrap()[(row * 32 + column) * 3 + channel]);
                }
            }
        }
    }
    records
}

/// The binary version of `dataset`, unpacked into `folder`.
fn write_binary(dataset: &Dataset, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let lines = |names: &[String]| names.join("\n") + "\n\n";
    fs::write(folder.join("train.bin"), records(&dataset.train)).unwrap();
    fs::write(folder.join("test.bin"), records(&dataset.test)).unwrap();
    let (fine, coarse) = (&dataset.train.classes, &dataset.train.superclasses);
    fs::write(folder.join("fine_label_names.txt"), lines(fine)).unwrap();
    fs::write(folder.join("coarse_label_names.txt"), lines(coarse)).unwrap();
}

#[test]
fn the_sample_has_forty_and_ten_real_images_of_each_class() {
    let folder = TempDir::new().unwrap();
    let dataset = load_sample(&folder);
    assert!(dataset.is_sample());
    for (set, per_class) in [(&dataset.train, 40), (&dataset.test, 10)] {
        assert_eq!((set.height, set.width, set.channels), (32, 32, 3));
        let mut counts = vec![0; 100];
        set.labels
            .iter()
            .for_each(|&label| counts[label as usize] += 1);
        assert_eq!(counts, [per_class; 100]);
        assert_eq!((set.classes.len(), set.superclasses.len()), (100, 20));
    }
    let superclasses = dataset.train.superclass_of_class().expect("one per class");
    let superclass_of = |class: &str| {
        let class = dataset.train.classes.iter().position(|name| name == class);
        let superclass = superclasses[class.expect("a class of CIFAR-100")];
        dataset.train.superclasses[superclass as usize].as_str()
    };
    assert_eq!(superclass_of("maple_tree"), "trees");
    assert_eq!(superclass_of("apple"), "fruit_and_vegetables");
}

#[test]
fn the_sample_stays_within_its_size() {
    let entries = fs::read_dir(sample_folder()).unwrap().flatten();
    let size: u64 = entries.map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(size <= 12_000_000, "{size} bytes");
}

#[test]
fn a_changed_sample_is_not_taken_for_the_bundled_one() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("datasets/uoft-cs/cifar100/cifar100");
    fs::create_dir_all(&copy).unwrap();
    for split in ["train", "test"] {
        // The test split in both places: whole files, but not what was bundled.
        let name = format!("{split}-00000-of-00001.parquet");
        fs::copy(
            sample_folder().join("test-00000-of-00001.parquet"),
            copy.join(name),
        )
        .unwrap();
    }
    let error = load_cifar100(&OpenOptions {
        source: SourceChoice::Sample,
        datasets: Some(folder.path().join("datasets")),
        ..options(&folder)
    })
    .unwrap_err();
    assert!(
        error.to_string().contains("not the bundled sample"),
        "{error}"
    );
}

#[test]
fn a_missing_sample_is_an_error_that_names_where_it_was_sought() {
    let folder = TempDir::new().unwrap();
    let error = load_cifar100(&OpenOptions {
        source: SourceChoice::Sample,
        datasets: Some(folder.path().into()),
        ..options(&folder)
    })
    .unwrap_err()
    .to_string();
    assert!(error.contains("SIAMESE_DATASETS") && error.contains(folder.path().to_str().unwrap()));
}

#[test]
fn the_binary_forms_hold_the_same_images_as_the_parquet_files() {
    let folder = TempDir::new().unwrap();
    let sample = load_sample(&folder);
    let unpacked = folder.path().join("cifar-100-binary");
    write_binary(&sample, &unpacked);
    let archive = folder.path().join("cifar-100-binary.tar.gz");
    let gz = GzEncoder::new(File::create(&archive).unwrap(), Compression::fast());
    let mut tar = tar::Builder::new(gz);
    tar.append_dir_all("cifar-100-binary", &unpacked).unwrap();
    tar.into_inner().unwrap().finish().unwrap();

    for path in [&unpacked, &unpacked.join("train.bin"), &archive] {
        let read = load_path(&folder, path).unwrap();
        assert_same(&read.train, &sample.train);
        assert_same(&read.test, &sample.test);
        assert!(matches!(read.origin, Origin::Path(_)));
        let listing = open(path, &options(&folder)).unwrap();
        assert_eq!(
            listing.verified,
            Some(false),
            "a part of CIFAR-100 is not CIFAR-100"
        );
    }

    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    let error = load_path(&folder, &archive).unwrap_err();
    assert!(matches!(error, DataError::Damaged { .. }), "{error}");

    let train = unpacked.join("train.bin");
    let records = fs::read(&train).unwrap();
    fs::write(&train, &records[..records.len() - 1]).unwrap();
    let error = load_path(&folder, &unpacked).unwrap_err().to_string();
    assert!(
        error.contains("train.bin") && error.contains("3074"),
        "{error}"
    );
}

#[test]
fn a_planar_record_becomes_rows_of_pixels() {
    let folder = TempDir::new().unwrap();
    let mut record = vec![3, 5];
    for plane in 0..3u32 {
        // Row r, column c: r + 2c, and 70 more in each plane.
        let values = (0..1024).map(|at| at / 32 + at % 32 * 2 + plane * 70);
        record.extend(values.map(|value| value as u8));
    }
    for file in ["train.bin", "test.bin"] {
        fs::write(folder.path().join(file), &record).unwrap();
    }
    let names = |n: usize| (0..n).map(|i| format!("name{i}\n")).collect::<String>();
    fs::write(folder.path().join("fine_label_names.txt"), names(100)).unwrap();
    fs::write(folder.path().join("coarse_label_names.txt"), names(20)).unwrap();

    let set = load_path(&folder, folder.path()).unwrap().train;
    assert_eq!(
        (set.labels[0], set.coarse_labels.as_ref().unwrap()[0]),
        (5, 3)
    );
    let image = set.image(0).unwrap();
    let pixel = |row: usize, column: usize| &image[(row * 32 + column) * 3..][..3];
    assert_eq!(pixel(0, 0), [0, 70, 140]);
    assert_eq!(pixel(0, 31), [62, 132, 202]);
    assert_eq!(pixel(31, 0), [31, 101, 171]);
}

#[test]
fn the_parquet_files_are_found_from_a_level_or_two_above() {
    let folder = TempDir::new().unwrap();
    let above = sample_folder().join("..");
    for path in [&sample_folder(), &above, &above.join("..")] {
        assert_eq!(
            load_path(&folder, path).unwrap().test.len(),
            1_000,
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_cut_parquet_file_is_damage_and_named() {
    let folder = TempDir::new().unwrap();
    for name in [
        "train-00000-of-00001.parquet",
        "test-00000-of-00001.parquet",
    ] {
        let whole = fs::read(sample_folder().join(name)).unwrap();
        fs::write(folder.path().join(name), &whole[..whole.len() - 100]).unwrap();
    }
    let error = load_path(&folder, folder.path()).unwrap_err();
    assert!(matches!(error, DataError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains("-00000-of-00001.parquet"),
        "{error}"
    );
}

/// The one packed file in the cache.
fn packed(folder: &TempDir) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(folder.path().join("packed"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(entries.len(), 1, "one file, and nothing half written");
    entries[0].path()
}

#[test]
fn the_packed_file_gives_back_the_same_set_and_is_not_written_again() {
    let folder = TempDir::new().unwrap();
    let first = load_sample(&folder);
    let written = fs::metadata(packed(&folder)).unwrap().modified().unwrap();
    let second = load_sample(&folder);
    assert_same(&first.train, &second.train);
    assert_same(&first.test, &second.test);
    assert_eq!(first.origin, second.origin);
    assert_eq!(
        fs::metadata(packed(&folder)).unwrap().modified().unwrap(),
        written
    );
}

#[test]
fn a_damaged_packed_file_is_made_again() {
    let folder = TempDir::new().unwrap();
    let first = load_sample(&folder);
    let path = packed(&folder);
    let whole = fs::read(&path).unwrap();

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mut version = whole.clone();
    version[8] ^= 1;
    let longer = [whole.as_slice(), &[0]].concat();
    let shorter = whole[..whole.len() - 1].to_vec();
    for damage in [
        flipped,
        version,
        longer,
        shorter,
        whole[..10].to_vec(),
        Vec::new(),
    ] {
        fs::write(&path, damage).unwrap();
        assert_same(&load_sample(&folder).train, &first.train);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_changed_source_is_read_again() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    write_binary(&load_sample(&folder), &data);
    fs::remove_dir_all(folder.path().join("packed")).unwrap();
    assert_eq!(
        load_path(&folder, &data).unwrap().train.image(0).unwrap()[0],
        records_at(&data)
    );

    // Another first pixel, the same length; the time is set, for coarse clocks.
    let train = data.join("train.bin");
    let mut bytes = fs::read(&train).unwrap();
    bytes[2] ^= 255;
    fs::write(&train, bytes).unwrap();
    let later = SystemTime::now() + Duration::from_secs(5);
    File::options()
        .write(true)
        .open(&train)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(
        load_path(&folder, &data).unwrap().train.image(0).unwrap()[0],
        records_at(&data)
    );
    packed(&folder);
}

/// The first red value in `train.bin`.
fn records_at(folder: &Path) -> u8 {
    fs::read(folder.join("train.bin")).unwrap()[2]
}

#[test]
fn a_cache_that_cannot_be_written_does_not_keep_from_loading() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let dataset = load_cifar100(&OpenOptions {
        source: SourceChoice::Sample,
        cache: Some(file.join("packed")),
        ..options(&folder)
    });
    assert_eq!(dataset.unwrap().train.len(), 4_000);
}

#[test]
fn the_whole_set_is_the_original_bit_for_bit() {
    let data = repository().join("../shared/datasets/hub/datasets/uoft-cs/cifar100");
    if !data.is_dir() {
        println!("skipped: {} is absent", data.display());
        return;
    }
    let folder = TempDir::new().unwrap();
    let whole = load_path(&folder, &data).unwrap();
    let md5 = [&whole.train, &whole.test].map(|set| {
        let digest = Md5::digest(records(set));
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    });
    let published = [
        "6172c7755cfe09b2fe270c85cebc1b15",
        "4499cfba6c016c1be1438163640a0898",
    ];
    assert_eq!(md5, published, "the md5 of the original records");
    assert_eq!((whole.train.len(), whole.test.len()), (50_000, 10_000));

    let sample = load_sample(&folder);
    for (whole, sample, per_class) in [
        (&whole.train, &sample.train, 40),
        (&whole.test, &sample.test, 10),
    ] {
        let mut seen = [0; 100];
        let first: Vec<u32> = (0..whole.len() as u32)
            .filter(|&i| {
                let seen = &mut seen[whole.labels[i as usize] as usize];
                *seen += 1;
                *seen <= per_class
            })
            .collect();
        assert_same(&whole.subset(&first), sample);
    }
}

#[test]
fn a_split_takes_its_share_of_every_class_and_loses_nothing() {
    let labels: Vec<u32> = (0..1_000).map(|i| i * i % 7).collect();
    let (rest, held_out) = stratified_split(&labels, 0.1, 3).unwrap();
    let mut all = [rest.as_slice(), &held_out].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1_000));
    let count = |indices: &[u32], class: u32| {
        indices
            .iter()
            .filter(|&&i| labels[i as usize] == class)
            .count()
    };
    for class in 0..7 {
        let (rest, held_out) = (count(&rest, class), count(&held_out, class));
        let share = (0.1 * (rest + held_out) as f64).round() as usize;
        assert_eq!(held_out, share, "class {class}");
    }
    assert_eq!(stratified_split(&labels, 0.1, 3).unwrap().1, held_out);
    assert_ne!(stratified_split(&labels, 0.1, 4).unwrap().1, held_out);
}

#[test]
fn a_split_leaves_each_class_an_image_on_either_side_where_it_can() {
    let labels = [0, 0, 1, 1, 1, 2];
    for fraction in [0.01, 0.99] {
        let (rest, held_out) = stratified_split(&labels, fraction, 0).unwrap();
        for class in [0, 1] {
            for side in [&rest, &held_out] {
                assert!(side.iter().any(|&i| labels[i as usize] == class));
            }
        }
        assert!(rest.contains(&5), "the only image of its class");
    }
}

#[test]
fn a_split_that_cannot_be_is_an_error() {
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(
            stratified_split(&[0, 0], fraction, 0).is_err(),
            "{fraction}"
        );
    }
    assert!(stratified_split(&[0, 1, 2], 0.5, 0).is_err());
    assert!(stratified_split(&[], 0.5, 0).is_err());
}

#[test]
fn a_subset_of_a_subset_shows_the_right_images() {
    let folder = TempDir::new().unwrap();
    let set = load_sample(&folder).train;
    let part = set.subset(&[10, 5, 700]).subset(&[2, 0]);
    assert_eq!(part.image(0).unwrap(), set.image(700).unwrap());
    assert_eq!(part.image(1).unwrap(), set.image(10).unwrap());
    assert_eq!(part.labels, [set.labels[700], set.labels[10]]);
}

#[test]
fn images_and_labels_that_do_not_fit_are_an_error() {
    let classes = || vec!["a".to_string(), "b".to_string()];
    let new = |pixels, labels| ImageSet::new(1, 2, 3, vec![0; pixels], labels, classes());
    assert!(new(12, vec![0, 1]).is_ok());
    assert!(new(11, vec![0, 1]).is_err());
    let error = new(12, vec![0, 2]).unwrap_err().to_string();
    assert!(
        error.contains("image 1 has label 2, but there are 2 names"),
        "{error}"
    );
}

#[test]
fn noise_in_the_form_of_a_known_set_does_not_bear_its_name_on_the_hub() {
    let folder = TempDir::new().unwrap();
    let set = folder.path().join("set");
    fs::create_dir(&set).unwrap();
    let record = |i: u8| [&[0, i % 16][..], &[i.wrapping_mul(37); 3072]].concat();
    let records: Vec<u8> = (0..32).flat_map(record).collect();
    fs::write(set.join("train.bin"), &records).unwrap();
    fs::write(set.join("test.bin"), &records).unwrap();
    let names: Vec<String> = (0..16).map(|i| format!("invented {i}")).collect();
    fs::write(set.join("fine_label_names.txt"), names.join("\n")).unwrap();
    fs::write(set.join("coarse_label_names.txt"), "things\n").unwrap();
    let listing = open(&set, &options(&folder)).unwrap();
    assert_eq!(listing.hub_name(), None);
    assert_eq!(
        listing.honest_title(),
        "CIFAR-100 (other files than were published)"
    );

    let sample = OpenOptions {
        source: SourceChoice::Sample,
        ..options(&folder)
    };
    let sample = open("cifar100", &sample).unwrap();
    assert_eq!(sample.hub_name(), Some("uoft-cs/cifar100"));
    assert_eq!(sample.honest_title(), "CIFAR-100");
}
