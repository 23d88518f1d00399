//! Folders with one flaw of each kind.

use super::*;
use crate::{OpenOptions, open};
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// A texture of its own for each seed, neither square nor symmetric.
fn texture(seed: u32, (height, width): (u32, u32), brighter: u8) -> RgbImage {
    let value = |x: u32, y: u32| {
        let (x, y) = (x * 9 / width, y * 8 / height);
        ((y * 9 + x) * (y * 9 + x) * (seed + 3) + x * 31 * seed) % 97 * 2
    };
    RgbImage::from_fn(width, height, |x, y| {
        let value = value(x, y) as u8 + brighter;
        Rgb([value, value / 2, 200 - value / 2])
    })
}

struct Pictures(tempfile::TempDir);

impl Pictures {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn save(&self, name: &str, picture: &RgbImage) {
        self.put(name, b"");
        picture.save(self.0.path().join(name)).unwrap();
    }

    fn cut(&self, name: &str) {
        self.save(name, &texture(9, (48, 54), 0));
        let path = self.0.path().join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() * 2 / 3]).unwrap();
    }

    fn check(&self) -> PicturesReport {
        let listing = open(self.0.path().to_str().unwrap(), &OpenOptions::default());
        check_listing(&listing.unwrap()).unwrap()
    }
}

#[test]
fn each_flaw_is_found_and_nothing_else() {
    let pictures = Pictures::new();
    let size = (48, 54);
    let one = texture(1, size, 0);
    pictures.save("cat/a.png", &one);
    pictures.save("cat/b.png", &texture(2, size, 0));
    // the same pixels under another name and in another format
    pictures.save("dog/a.bmp", &one);
    pictures.save("dog/b.png", &texture(2, size, 6));
    pictures.save("dog/c.png", &texture(3, (20, 30), 0));
    pictures.save("owl/a.png", &texture(4, size, 0));
    fs::create_dir(pictures.0.path().join("yak")).unwrap();
    pictures.cut("owl/cut.jpg");

    let report = pictures.check();
    assert_eq!((report.images, report.classes), (6, 3));
    assert_eq!(report.size, (48, 54));
    let twins = |found: &[Twins]| -> Vec<_> {
        let pair = |t: &Twins| format!("{} {} {}", t.first, t.second, t.same_class);
        found.iter().map(pair).collect()
    };
    assert_eq!(twins(&report.exact), ["cat/a.png dog/a.bmp false"]);
    assert_eq!(twins(&report.near), ["cat/b.png dog/b.png false"]);
    assert_eq!(
        report.odd_sizes,
        [OddSize {
            file: "dog/c.png".into(),
            height: 20,
            width: 30
        }]
    );
    assert_eq!(report.unreadable.len(), 1);
    assert_eq!(report.lone_classes, ["owl"]);
    assert_eq!(report.empty_classes, ["yak"]);
    assert!(!report.is_sound());
    let table = report.to_string();
    assert!(table.contains("look at the above"), "{table}");
}

#[test]
fn a_cut_picture_of_any_kind_is_unreadable() {
    let pictures = Pictures::new();
    pictures.save("cat/whole.png", &texture(1, (48, 54), 0));
    pictures.save("dog/whole.png", &texture(2, (48, 54), 0));
    let kinds = ["png", "jpg", "bmp", "gif", "webp", "ppm"];
    for kind in kinds {
        pictures.cut(&format!("cat/cut.{kind}"));
    }
    let report = pictures.check();
    assert_eq!(
        report.unreadable.len(),
        kinds.len(),
        "{:?}",
        report.unreadable
    );
    assert_eq!(report.images, 2);
}

#[test]
fn a_shrunk_copy_is_a_near_twin() {
    let pictures = Pictures::new();
    let large = texture(5, (96, 108), 0);
    pictures.save("cat/a.png", &large);
    pictures.save("cat/b.png", &texture(6, (96, 108), 0));
    pictures.save("dog/c.png", &texture(7, (96, 108), 0));
    pictures.save("dog/d.png", &texture(8, (96, 108), 0));
    let half = image::imageops::thumbnail(&large, 54, 48);
    pictures.save("cat/half.png", &half);
    let report = pictures.check();
    assert_eq!(report.near.len(), 1, "{:?}", report.near);
    assert!(report.near[0].same_class && report.near[0].first.ends_with("a.png"));
    assert_eq!(report.odd_sizes.len(), 1);
    assert!(report.exact.is_empty());
}

#[test]
fn different_pictures_are_sound() {
    let pictures = Pictures::new();
    for seed in 1..5 {
        let name = format!("class{}/{seed}.png", seed % 2);
        pictures.save(&name, &texture(seed, (48, 54), 0));
    }
    let report = pictures.check();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn pictures_that_are_left_out_are_counted_and_named_by_kind() {
    let pictures = Pictures::new();
    for seed in 1..5 {
        let name = format!("class{}/{seed}.png", seed % 2);
        pictures.save(&name, &texture(seed, (48, 54), 0));
    }
    pictures.put("class0/IMG_1.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif");
    pictures.put(
        "class0/drawing",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    );
    pictures.put("class1/page.jpg", b"<!DOCTYPE html><title>404</title>");
    pictures.put("class1/notes.txt", b"not a picture");
    pictures.put(".ipynb_checkpoints/1-checkpoint.png", b"");
    let report = pictures.check();
    assert_eq!((report.images, report.classes), (4, 2));
    assert!(!report.is_sound());
    let said = report.to_string();
    for part in [
        "pictures that are left out                          3",
        "left out: 1 AVIF, a kind of picture that is not read (class0/IMG_1.avif)",
        "left out: 1 SVG, a kind of picture that is not read (class0/drawing)",
        "left out: 1 a web page (a failed download?) (class1/page.jpg)",
        "passed over: 1 hidden (.ipynb_checkpoints)",
        "passed over: 1 text (class1/notes.txt)",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_in_the_json() {
    use std::os::unix::ffi::OsStrExt;
    let pictures = Pictures::new();
    for seed in 1..5 {
        let name = format!("class{}/{seed}.png", seed % 2);
        pictures.save(&name, &texture(seed, (48, 54), 0));
    }
    let strange = |name: &[u8]| std::ffi::OsStr::from_bytes(name).to_os_string();
    let twin = fs::read(pictures.0.path().join("class0/2.png")).unwrap();
    pictures.put(strange(b"class0/z\xff.png"), &twin);
    pictures.put(strange(b"class\xfe/cut.png"), &twin[..60]);
    let report = pictures.check();
    let json = serde_json::to_string(&report).unwrap();
    for name in ["class0/z\\\\xFF.png", "class\\\\xFE/cut.png"] {
        assert!(json.contains(name), "{name}: {json}");
    }
    assert_eq!(report.exact.len(), 1);
    assert_eq!(report.empty_classes, ["class\\xFE"]);
}
