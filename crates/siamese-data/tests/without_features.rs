//! A build without the hub and without parquet: folders are read as ever, the rest is refused by a sentence.

#![cfg(not(any(feature = "hub", feature = "parquet")))]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::fs;
use std::path::Path;

use siamese_data::{
    DataError, HubOptions, OpenOptions, Progress, SourceChoice, cached_weights, fetch_weights, open,
};

fn options() -> OpenOptions {
    OpenOptions {
        progress: Progress::Silent,
        ..OpenOptions::default()
    }
}

fn refused(what: impl AsRef<Path>, options: &OpenOptions) -> String {
    let error = open(what.as_ref(), options).unwrap_err();
    assert!(matches!(error, DataError::WithoutFeature { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_folder_of_classes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["cat", "dog"] {
        let class = folder.path().join(class);
        fs::create_dir(&class).unwrap();
        for shade in [10, 200] {
            let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([shade, 0, 0]));
            picture.save(class.join(format!("{shade}.png"))).unwrap();
        }
    }
    let listing = open(folder.path(), &options()).unwrap();
    assert_eq!(listing.classes, ["cat", "dog"]);
    assert_eq!(listing.items.len(), 4);
}

#[test]
fn a_parquet_file_is_refused_by_the_name_of_the_feature() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.parquet");
    fs::write(&file, b"PAR1 and the rest PAR1").unwrap();
    for place in [file.as_path(), folder.path()] {
        let message = refused(place, &options());
        assert!(message.contains("train.parquet"), "{message}");
        assert!(message.contains("feature `parquet`"), "{message}");
    }
}

#[test]
fn the_hub_and_what_is_published_elsewhere_are_refused_by_the_name_of_the_feature() {
    let cache = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        cache: Some(cache.path().into()),
        datasets: Some(empty.path().into()),
        ..options()
    };
    for name in ["hf:user/name", "fashion-mnist"] {
        let message = refused(name, &options);
        assert!(message.contains("feature `hub`"), "{message}");
    }
    let hub = OpenOptions {
        source: SourceChoice::Hub,
        ..options
    };
    assert!(refused("cifar100", &hub).contains("feature `hub`"));

    let none = HubOptions::default();
    assert_eq!(cached_weights("timm/resnet50.tv_in1k", &none), None);
    let error = fetch_weights("timm/resnet50.tv_in1k", &none, Progress::Silent).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("timm/resnet50.tv_in1k"), "{message}");
}
