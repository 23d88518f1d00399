//! Data sets recognised by looking: made ones of every kind, and real ones where they are.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions, too

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use siamese_data::{
    Colour, Columns, Fit, Framing, HubOptions, Listing, OpenOptions, Origin, Part, Progress,
    SourceChoice, open,
};
use tempfile::TempDir;

/// Options that look at nothing of this machine but `folder`.
fn options(folder: &TempDir) -> OpenOptions {
    OpenOptions {
        cache: Some(folder.path().join("cache")),
        datasets: Some(folder.path().join("datasets")),
        hub: HubOptions {
            cache: folder.path().join("hub"),
            offline: true,
            token: None,
            ..HubOptions::from_env()
        },
        progress: Progress::Silent,
        ..OpenOptions::default()
    }
}

/// A folder for the data, beside the cache of [`options`].
fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn opened(folder: &TempDir, path: &Path) -> Result<Listing, String> {
    open(path.to_str().unwrap(), &options(folder)).map_err(|error| error.to_string())
}

/// 2 high, 3 wide, of one colour.
fn png(value: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(3, 2, image::Rgb([value, 0, 255 - value]));
    image.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Pictures, the n-th of the colour n.
fn put_pictures(root: &Path, names: &[&str]) {
    for (value, name) in (0..).zip(names) {
        put(root, name, &png(value));
    }
}

const FRAMING: Framing = Framing {
    height: 2,
    width: 3,
    colour: Colour::Rgb,
    fit: Fit::Crop,
};

/// The red of each image, and its class.
fn loaded(folder: &TempDir, listing: &Listing) -> Vec<(u8, String)> {
    let loaded = listing.load(&FRAMING, &options(folder)).unwrap();
    let set = &loaded.images;
    let class = |i: usize| set.classes[set.labels[i] as usize].clone();
    (0..set.len())
        .map(|i| (set.image(i).unwrap()[0], class(i)))
        .collect()
}

fn expected(pairs: &[(u8, &str)]) -> Vec<(u8, String)> {
    pairs
        .iter()
        .map(|(red, class)| (*red, class.to_string()))
        .collect()
}

#[test]
fn a_folder_of_class_folders_is_listed_and_what_is_no_picture_is_named() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["cat/a.png", "cat/more/b.dat", "dog/c.png"]);
    put(&root, "cat/notes.png", b"not a picture");
    put(&root, ".git/config", b"x");
    let listing = opened(&folder, &root).unwrap();
    assert_eq!(
        loaded(&folder, &listing),
        expected(&[(0, "cat"), (1, "cat"), (2, "dog")])
    );
    assert_eq!(
        (listing.name.as_str(), listing.name_of(1)),
        ("data", "cat/more/b.dat")
    );
    assert_eq!(listing.sizes.most_common, (2, 3));
    assert!(listing.sizes.alike && !listing.sizes.grey);
    let said = listing.describe().to_string();
    for part in [
        "3 pictures in 2 classes, 1 to 2 of each",
        "2x3 pixels",
        "1 text (cat/notes.png)",
        "1 hidden (.git)",
    ] {
        assert!(said.contains(part), "{said}");
    }

    let before = listing.fingerprint().unwrap();
    put(&root, "dog/c.png", &[png(9), vec![0]].concat());
    assert_ne!(
        listing.fingerprint().unwrap(),
        before,
        "a changed file is noticed"
    );
}

#[test]
fn a_picture_that_cannot_be_decoded_is_a_problem_and_not_an_image() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["cat/a.png", "dog/b.png"]);
    put(&root, "cat/cut.png", &png(7)[..40]);
    let listing = opened(&folder, &root).unwrap();
    let loaded = listing.load(&FRAMING, &options(&folder)).unwrap();
    assert_eq!((loaded.items, loaded.problems.len()), (vec![0, 2], 1));
    assert_eq!(loaded.problems[0].what, "cat/cut.png");
}

#[test]
fn a_folder_of_metadata_tables_is_read_as_the_hubs_image_folders_are() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["train/a.png", "train/b.png", "test/c.png"]);
    put(
        &root,
        "train/metadata.csv",
        b"file_name,label\na.png,cat\nb.png,dog\n",
    );
    put(
        &root,
        "test/metadata.jsonl",
        b"{\"file_name\": \"c.png\", \"label\": \"dog\"}\n",
    );
    let listing = opened(&folder, &root).unwrap();
    assert_eq!(
        (listing.count(Part::Train), listing.count(Part::Test)),
        (2, 1)
    );
    assert_eq!(listing.classes, ["cat", "dog"]);
}

#[test]
fn a_table_has_groups_splits_and_lines_that_are_left_out() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["a.png", "b.png", "c.png"]);
    let rows = "File;Species;Patient;Split\na.png;cat;p1;train\nb.png;dog;p2;test\nc.png;dog;;\ngone.png;cat;p1;\nb.png;dog;p2;test\na.png;dog;p1;\n";
    put(&root, "labels.csv", rows.as_bytes());
    for path in [root.join("labels.csv"), root.clone()] {
        let listing = opened(&folder, &path).unwrap();
        assert_eq!(
            loaded(&folder, &listing),
            expected(&[(0, "cat"), (1, "dog"), (2, "dog")])
        );
        let groups: Vec<_> = listing.items.iter().map(|item| item.group).collect();
        assert_eq!(
            (groups, listing.groups.len()),
            (vec![Some(0), Some(1), None], 2)
        );
        let whys: Vec<_> = listing
            .left_out
            .iter()
            .map(|left| (left.what.as_str(), left.why.as_str()))
            .collect();
        let missing = ("labels.csv:5: gone.png", "no such file");
        assert!(
            path == root
                || whys
                    == [
                        missing,
                        ("b.png", "named twice"),
                        ("a.png", "named before with another label")
                    ],
            "{whys:?}"
        );
    }

    let mut named = options(&folder);
    named.columns = Columns {
        label: Some("Sort".into()),
        ..Columns::default()
    };
    let error = open(root.join("labels.csv").to_str().unwrap(), &named)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no column Sort"), "{error}");
}

#[test]
fn a_table_without_a_header_is_read_and_one_without_classes_is_refused() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["x/a.png", "x/b.png"]);
    put(&root, "list.tsv", b"x/a.png\t2\nx\\b.png\t10\n");
    let listing = opened(&folder, &root.join("list.tsv")).unwrap();
    assert_eq!(loaded(&folder, &listing), expected(&[(0, "2"), (1, "10")]));
    put(&root, "bare.csv", b"path,width\nx/a.png,3\n");
    let error = opened(&folder, &root.join("bare.csv")).unwrap_err();
    assert!(
        error.contains("no column with the class") && error.contains("data.columns.label"),
        "{error}"
    );
}

#[test]
fn a_table_of_pairs_keeps_its_pairs() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["a.png", "b.png", "c.png"]);
    put(&root, "pairs.csv", b"path,path,same\na.png,b.png,genuine\nb.png,c.png,forged\na.png,c.png,maybe\na.png,d.png,1\n");
    let listing = opened(&folder, &root.join("pairs.csv")).unwrap();
    let pairs: Vec<_> = listing
        .pairs
        .as_ref()
        .unwrap()
        .iter()
        .map(|pair| (pair.a, pair.b, pair.same))
        .collect();
    assert_eq!(pairs, [(0, 1, true), (1, 2, false)]);
    assert_eq!(
        (
            listing.items[0].label,
            listing.items[2].label,
            listing.left_out.len()
        ),
        (0, 1, 2)
    );
    put(&root, "same.csv", b"path,path,same\na.png,b.png,1\n");
    let error = opened(&folder, &root.join("same.csv")).unwrap_err();
    assert!(error.contains("none is of different things"), "{error}");
}

fn tar_of(root: &Path, path: &Path) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    tar.append_dir_all("wrapped", root).unwrap();
    tar.finish().unwrap();
}

fn gzip(from: &Path, to: &Path) {
    let mut packer = GzEncoder::new(File::create(to).unwrap(), Compression::fast());
    packer.write_all(&fs::read(from).unwrap()).unwrap();
    packer.finish().unwrap();
}

#[test]
fn archives_are_read_in_place() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["cat/a.png", "dog/b.png", "dog/c.png"]);
    put(&root, "README", b"about");
    let [tar, gz, zipped] = ["x.tar", "x.tar.gz", "x.zip"].map(|name| folder.path().join(name));
    tar_of(&root, &tar);
    gzip(&tar, &gz);
    let mut zip = zip::ZipWriter::new(File::create(&zipped).unwrap());
    for (value, name) in [(0, "cat/a.png"), (1, "dog/b.png"), (2, "dog/c.png")] {
        let method = if value == 1 {
            zip::CompressionMethod::Stored
        } else {
            zip::CompressionMethod::Deflated
        };
        zip.start_file(
            name,
            zip::write::SimpleFileOptions::default().compression_method(method),
        )
        .unwrap();
        zip.write_all(&png(value)).unwrap();
    }
    zip.start_file("README", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(b"about").unwrap();
    zip.finish().unwrap();
    for path in [&tar, &gz, &zipped] {
        let listing = opened(&folder, path).unwrap();
        assert_eq!(
            loaded(&folder, &listing),
            expected(&[(0, "cat"), (1, "dog"), (2, "dog")]),
            "{}",
            path.display()
        );
        assert_eq!((listing.name.as_str(), listing.left_out.len()), ("x", 1));
    }
    let whole = fs::read(&tar).unwrap();
    fs::write(&tar, &whole[..2000]).unwrap();
    assert!(opened(&folder, &tar).unwrap_err().contains("damaged"));
}

#[test]
fn webdatasets_shards_are_one_set_with_a_class_beside_each_picture() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    fs::create_dir_all(&root).unwrap();
    for (shard, first) in [("train-000000.tar", 0u8), ("test-000000.tar", 2)] {
        let mut tar = tar::Builder::new(File::create(root.join(shard)).unwrap());
        let mut add = |name: String, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        for key in first..first + 2 {
            add(format!("{key:04}.png"), &png(key));
            match key {
                0 => add("0000.cls".into(), b"10\n"),
                3 => add("0003.txt".into(), b"a caption, and no class"),
                _ => add(format!("{key:04}.json"), b"{\"label\": 2}"),
            }
        }
        tar.finish().unwrap();
    }
    let listing = opened(&folder, &root).unwrap();
    let mut found = loaded(&folder, &listing);
    found.sort();
    assert_eq!(found, expected(&[(0, "10"), (1, "2"), (2, "2")]));
    assert_eq!(
        (
            listing.count(Part::Train),
            listing.count(Part::Test),
            listing.left_out.len()
        ),
        (2, 1, 2)
    );
}

fn idx(dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    dimensions
        .iter()
        .for_each(|length| file.extend(length.to_be_bytes()));
    file.extend(bytes);
    file
}

#[test]
fn idx_files_are_read_gzipped_or_not_and_checked() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    let images: Vec<u8> = (0..12).collect();
    put(&root, "train-images-idx3-ubyte", &idx(&[2, 2, 3], &images));
    put(&root, "train-labels-idx1-ubyte", &idx(&[2], &[1, 0]));
    put(&root, "plain", &idx(&[1, 2, 3], &images[..6]));
    gzip(&root.join("plain"), &root.join("t10k-images-idx3-ubyte.gz"));
    put(&root, "t10k-labels-idx1-ubyte", &idx(&[1], &[1]));
    let listing = opened(&folder, &root).unwrap();
    assert_eq!(
        (listing.count(Part::Train), listing.count(Part::Test)),
        (2, 1)
    );
    assert!(listing.sizes.grey);
    let grey = Framing {
        colour: Colour::Grey,
        ..FRAMING
    };
    let loaded = listing.load(&grey, &options(&folder)).unwrap().images;
    assert_eq!(
        (&*loaded.image(1).unwrap(), loaded.labels.as_slice()),
        (&images[6..], [1, 0, 1].as_slice())
    );
    assert_eq!(
        opened(&folder, &root.join("train-images-idx3-ubyte"))
            .unwrap()
            .items
            .len(),
        3
    );

    put(&root, "train-labels-idx1-ubyte", &idx(&[3], &[1, 0, 1]));
    assert!(
        opened(&folder, &root)
            .unwrap_err()
            .contains("3 labels for 2 images")
    );
    fs::remove_file(root.join("train-labels-idx1-ubyte")).unwrap();
    assert!(
        opened(&folder, &root)
            .unwrap_err()
            .contains("put train-labels-idx1-ubyte there")
    );
}

#[test]
fn cifar_10s_records_are_read_from_folder_and_archive() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    let record = |label: u8| {
        [
            vec![label],
            vec![label * 20; 1024],
            vec![7; 1024],
            vec![9; 1024],
        ]
        .concat()
    };
    for (label, name) in (0..).zip([
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ]) {
        put(&root, &format!("{name}.bin"), &record(label));
    }
    put(
        &root,
        "batches.meta.txt",
        (0..10)
            .map(|i| format!("class{i}\n"))
            .collect::<String>()
            .as_bytes(),
    );
    let archive = folder.path().join("cifar-10-binary.tar");
    tar_of(&root, &archive);
    for path in [&root, &root.join("test_batch.bin"), &archive] {
        let listing = opened(&folder, path).unwrap();
        assert_eq!(
            (
                listing.name.as_str(),
                listing.count(Part::Train),
                listing.count(Part::Test)
            ),
            ("cifar10", 5, 1)
        );
        let framing = Framing {
            height: 32,
            width: 32,
            ..FRAMING
        };
        let set = listing.load(&framing, &options(&folder)).unwrap().images;
        assert_eq!(
            (&set.image(5).unwrap()[..4], set.labels[5]),
            ([100, 7, 9, 100].as_slice(), 5)
        );
    }
    put(&root, "test_batch.bin", &record(11));
    assert!(opened(&folder, &root).unwrap_err().contains("the label 11"));
}

#[test]
fn omniglots_alphabets_are_superclasses_and_its_drawers_groups() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(
        &root,
        &[
            "images_background/Greek/character01/0001_01.png",
            "images_background/Greek/character02/0002_02.png",
            "images_evaluation/Tibetan/character01/0003_01.png",
            "images_evaluation/stray.png",
        ],
    );
    let listing = opened(&folder, &root).unwrap();
    assert_eq!(
        listing.classes,
        [
            "Greek/character01",
            "Greek/character02",
            "Tibetan/character01"
        ]
    );
    assert_eq!(
        (listing.superclasses.len(), listing.groups.as_slice()),
        (2, ["01".to_string(), "02".into()].as_slice())
    );
    assert_eq!(listing.items[2].part, Some(Part::Test));
    assert_eq!((listing.items.len(), listing.left_out.len()), (3, 1));
    assert_eq!(loaded(&folder, &listing)[2].0, 2);
}

#[test]
fn what_is_no_data_set_says_what_it_is_and_what_to_type() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["a.png", "b.png"]);
    for (path, parts) in [
        (
            root.clone(),
            ["2 loose pictures without classes", "subfolder"],
        ),
        (root.join("a.png"), ["a single picture", "folder above"]),
        (
            root.join("absent"),
            ["no file or folder of that name", "fashion-mnist"],
        ),
    ] {
        let error = opened(&folder, &path).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let error = open("fashion-mnits", &options(&folder))
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean fashion-mnist?"), "{error}");
    put(&root, "lone/a.pdf", b"%PDF-1.7");
    let error = opened(&folder, &root.join("lone")).unwrap_err();
    assert!(
        error.contains("no picture in it") && error.contains("1 a PDF (a.pdf)"),
        "{error}"
    );
}

#[test]
fn what_tools_leave_behind_is_no_class_and_no_picture_in_folder_and_archive() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    let pictures = ["cat/a.png", "cat/b.png", "dog/c.png"];
    put_pictures(&root, &pictures);
    let left = [
        ".ipynb_checkpoints/a-checkpoint.png",
        "cat/.ipynb_checkpoints/a-checkpoint.png",
        "__MACOSX/cat/a.png",
        "cat/._a.png",
        "cat/.DS_Store",
        "cat/Thumbs.db",
        "cat/Desktop.ini",
        "cat/@eaDir/a.png",
        "dog/.thumbnails/c.png",
        "dog/c.png~",
        "dog/d.png.part",
        ".git/logo.png",
        "System Volume Information/x.png",
    ];
    put_pictures(&root, &left);
    let tar = folder.path().join("x.tar");
    tar_of(&root, &tar);
    for place in [&root, &tar] {
        let listing = opened(&folder, place).unwrap();
        assert_eq!(listing.classes, ["cat", "dog"], "{}", place.display());
        assert_eq!(listing.items.len(), pictures.len());
        assert_eq!(listing.left_out.len(), left.len(), "{:?}", listing.left_out);
        assert!(listing.left_out.iter().all(|left| !left.picture));
        let said = listing.describe().to_string();
        assert!(said.contains("left behind by a tool"), "{said}");
        assert!(said.contains("hidden"), "{said}");
    }
}

#[test]
fn pictures_that_are_not_read_are_named_by_kind_and_those_of_any_name_are_read() {
    let folder = TempDir::new().unwrap();
    let root = data(&folder);
    put_pictures(&root, &["cat/a.jfif", "cat/b", "dog/c.heic", "dog/d.txt"]);
    put(&root, "cat/e.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif");
    put(&root, "dog/f.jpg", b"II*\0\x10\0\0\0CR\x02\0");
    put(&root, "dog/g.tga", &[9, 9, 2, 0, 0]);
    let listing = opened(&folder, &root).unwrap();
    assert_eq!(loaded(&folder, &listing).len(), 4);
    let said = listing.describe().to_string();
    for part in [
        "1 AVIF, a kind of picture that is not read (cat/e.avif)",
        "1 a camera's raw file, a kind of picture that is not read (dog/f.jpg)",
        "1 a file of another kind (dog/g.tga)",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(listing.left_out.iter().all(|left| left.picture));
}

#[cfg(unix)]
#[test]
fn a_set_whose_own_name_is_no_text_is_opened() {
    use std::os::unix::ffi::OsStrExt;
    let folder = TempDir::new().unwrap();
    let root = folder.path().join(std::ffi::OsStr::from_bytes(b"f\xfftos"));
    put_pictures(&root, &["cat/a.png", "dog/b.png"]);
    let listing = open(&root, &options(&folder)).unwrap();
    assert_eq!(loaded(&folder, &listing).len(), 2);
    assert_eq!(listing.title, "f-xFFtos");
}

fn real(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/datasets")
        .join(name);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn the_bundled_sample_is_listed_as_cifar_100_and_stands_in_where_there_is_no_network() {
    let folder = TempDir::new().unwrap();
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let mut options = options(&folder);
    options.datasets = Some(datasets.clone());
    options.source = SourceChoice::Sample;
    let listing = open("cifar100", &options).unwrap();
    assert!(matches!(listing.origin, Origin::Sample(_)));
    assert_eq!(
        (
            listing.name.as_str(),
            listing.classes.len(),
            listing.superclasses.len()
        ),
        ("cifar100", 100, 20)
    );
    assert_eq!(
        (listing.count(Part::Train), listing.count(Part::Test)),
        (4_000, 1_000)
    );
    options.source = SourceChoice::Auto;
    let fallback = open("cifar100", &options).unwrap().fallback.unwrap();
    assert!(fallback.contains("HF_HUB_OFFLINE"), "{fallback}");
}

#[test]
fn a_missing_shard_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../datasets/uoft-cs/cifar100/cifar100/test-00000-of-00001.parquet");
    put(
        &data(&folder),
        "train-00001-of-00002.parquet",
        &fs::read(sample).unwrap(),
    );
    let error = opened(&folder, &data(&folder)).unwrap_err();
    assert!(error.contains("train-00000-of-00002"), "{error}");
}

#[test]
fn the_real_sets_are_what_their_pages_say() {
    let folder = TempDir::new().unwrap();
    let Some(root) = real("") else { return };
    let mut options = options(&folder);
    options.datasets = Some(root.clone());
    let counts = |listing: &Listing| {
        [
            listing.items.len(),
            listing.classes.len(),
            listing.count(Part::Train),
            listing.count(Part::Test),
        ]
    };
    for (name, expected, verified) in [
        ("fashion-mnist", [70_000, 10, 60_000, 10_000], Some(true)),
        ("omniglot", [32_460, 1_623, 19_280, 13_180], None),
        ("att-faces", [400, 40, 0, 0], None),
        ("cifar100", [60_000, 100, 50_000, 10_000], None),
    ] {
        let listing = open(name, &options).unwrap();
        println!("{}", listing.describe());
        assert_eq!(
            (listing.name.as_str(), counts(&listing), listing.verified),
            (name, expected, verified)
        );
    }
    let birds = open(root.join("birds").to_str().unwrap(), &options).unwrap();
    assert_eq!((counts(&birds), birds.left_out.len()), ([768, 32, 0, 0], 0));
    let landmarks = open(root.join("landmarks").to_str().unwrap(), &options).unwrap();
    assert_eq!(counts(&landmarks), [130, 12, 106, 24]);
    let faces = open("att-faces", &options).unwrap();
    let framing = Framing {
        height: 112,
        width: 92,
        colour: Colour::Grey,
        fit: Fit::Crop,
    };
    assert_eq!(faces.load(&framing, &options).unwrap().images.len(), 400);
    assert_eq!(faces.left_out.len(), 1, "the README");
}
