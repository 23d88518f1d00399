//! Is a folder of pictures sound? Files that cannot be read, odd sizes, twins, classes too small.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::duplicates::near_within;
use super::write_counts;
use crate::folder::{FileProblem, Listing, stretched, within};
use crate::picture::{PictureLimits, decode_file};
use crate::{DataError, ImageSet, digest};

/// Longest side, in pixels, at which pictures are compared: near duplicates are alike at any size.
const COMPARED: usize = 32;

/// What [`check_folder`] found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FolderReport {
    /// Pictures that could be read.
    pub images: usize,
    /// Subfolders.
    pub classes: usize,
    /// (height, width) that most pictures have.
    pub size: (usize, usize),
    /// Files that are no pictures, or are cut.
    pub unreadable: Vec<FileProblem>,
    /// Pictures of another size than most.
    pub odd_sizes: Vec<FileProblem>,
    /// Pictures of the same pixels, each with its first twin.
    pub exact: Vec<Twins>,
    /// Pictures that look the same, each with the one before it that it looks most like.
    pub near: Vec<Twins>,
    /// Classes with a single readable picture: no like pair can be drawn from them.
    pub lone_classes: Vec<String>,
    /// Classes without a readable picture.
    pub empty_classes: Vec<String>,
}

/// Two files whose pictures are, or look, the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twins {
    /// The earlier file, in the order of names.
    pub first: PathBuf,
    /// The later file.
    pub second: PathBuf,
    /// Whether both are in the same class.
    pub same_class: bool,
    /// The correlation (Pearson's) of their pixels: 1 for the same.
    pub correlation: f64,
}

impl FolderReport {
    /// Whether nothing was found that makes a training or its figures wrong. Odd sizes do not:
    /// such pictures are resized.
    pub fn is_sound(&self) -> bool {
        let files = self.unreadable.is_empty() && self.exact.is_empty() && self.near.is_empty();
        files && self.lone_classes.is_empty() && self.empty_classes.is_empty()
    }

    /// What was counted, line by line.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let across = |twins: &[Twins]| twins.iter().filter(|twins| !twins.same_class).count();
        vec![
            ("pictures", self.images),
            ("classes", self.classes),
            (
                "files that cannot be read, or are cut",
                self.unreadable.len(),
            ),
            ("pictures of another size than most", self.odd_sizes.len()),
            ("pictures that are there twice", self.exact.len()),
            ("  of these in another class", across(&self.exact)),
            ("pictures much like another", self.near.len()),
            ("  of these in another class", across(&self.near)),
            ("classes with one picture", self.lone_classes.len()),
            ("classes without a picture", self.empty_classes.len()),
        ]
    }
}

impl fmt::Display for FolderReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_counts(f, &self.counts(), self.is_sound())
    }
}

/// One picture, as it is compared.
struct Seen {
    /// Of size and pixels, as they are in the file.
    digest: String,
    size: (usize, usize),
    /// RGB at the size that all are compared at.
    pixels: Vec<u8>,
}

/// Looks through `folder/CLASS/*.{png,jpg,…}` for what would make a training or its figures wrong.
///
/// Near duplicates are sought as [`check`](super::check) does, among pictures shrunk to 32 pixels.
///
/// # Errors
///
/// [`DataError::NotADataSet`] if there is no subfolder with a readable picture. Single files that
/// cannot be read are not an error but in [`FolderReport::unreadable`].
pub fn check_folder(folder: &Path) -> Result<FolderReport, DataError> {
    let listing = Listing::of(folder);
    let size = listing.most_common_size()?;
    let compared_at = within(COMPARED, size);
    let look = |(_, file): &(u32, PathBuf)| see(file, compared_at);
    let looks: Vec<_> = listing.files.par_iter().map(look).collect();

    let mut report = FolderReport {
        classes: listing.classes.len(),
        size,
        ..FolderReport::default()
    };
    let (mut files, mut digests) = (Vec::new(), Vec::new());
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for ((label, file), seen) in listing.files.into_iter().zip(looks) {
        match seen {
            Ok(seen) => {
                let (height, width) = seen.size;
                if seen.size != size {
                    let file = file.clone();
                    report.odd_sizes.push(FileProblem::OddSize {
                        file,
                        height,
                        width,
                    });
                }
                labels.push(label);
                pixels.extend(seen.pixels);
                digests.push(seen.digest);
                files.push(file);
            }
            Err(reason) => report
                .unreadable
                .push(FileProblem::Unreadable { file, reason }),
        }
    }
    let (height, width) = compared_at;
    let set = ImageSet::new(height, width, 3, pixels, labels, listing.classes)?;
    report.images = set.len();
    report.exact = exact(&set, &files, &digests);
    report.near = near(&set, &files, &digests)?;
    (report.lone_classes, report.empty_classes) = small_classes(&set);
    Ok(report)
}

fn see(file: &Path, compared_at: (usize, usize)) -> Result<Seen, String> {
    let picture = decode_file(file, &PictureLimits::default(), None);
    let picture = picture.map_err(|error| error.to_string())?;
    let size = (picture.height(), picture.width());
    let mut bytes = format!("{}x{} ", size.0, size.1).into_bytes();
    bytes.extend(stretched(&picture, size));
    Ok(Seen {
        digest: digest::sha256(&bytes),
        size,
        pixels: stretched(&picture, compared_at),
    })
}

fn exact(set: &ImageSet, files: &[PathBuf], digests: &[String]) -> Vec<Twins> {
    let mut first_of = HashMap::new();
    let mut twins = Vec::new();
    for (second, digest) in digests.iter().enumerate() {
        let first = *first_of.entry(digest).or_insert(second);
        if first != second {
            twins.push(Twins {
                first: files[first].clone(),
                second: files[second].clone(),
                same_class: set.labels[first] == set.labels[second],
                correlation: 1.0,
            });
        }
    }
    twins
}

fn near(set: &ImageSet, files: &[PathBuf], digests: &[String]) -> Result<Vec<Twins>, DataError> {
    let at = |i: u32| i as usize;
    let mut near = near_within(set)?;
    near.retain(|near| digests[at(near.first)] != digests[at(near.second)]);
    let twins = near.iter().map(|near| Twins {
        first: files[at(near.first)].clone(),
        second: files[at(near.second)].clone(),
        same_class: near.same_class,
        correlation: near.correlation,
    });
    Ok(twins.collect())
}

/// The classes with one image, and those with none.
fn small_classes(set: &ImageSet) -> (Vec<String>, Vec<String>) {
    let mut counts = vec![0; set.classes.len()];
    for &label in &set.labels {
        counts[label as usize] += 1;
    }
    let with = |wanted: usize| {
        let classes = set.classes.iter().zip(&counts);
        let small = classes.filter(|(_, count)| **count == wanted);
        small.map(|(class, _)| class.clone()).collect()
    };
    (with(1), with(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use std::fs;

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

        fn save(&self, name: &str, picture: &RgbImage) -> PathBuf {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            picture.save(&path).unwrap();
            path
        }

        fn cut(&self, name: &str) {
            let path = self.save(name, &texture(9, (48, 54), 0));
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        }

        fn check(&self) -> FolderReport {
            check_folder(self.0.path()).unwrap()
        }
    }

    #[test]
    fn each_flaw_is_found_and_nothing_else() {
        let pictures = Pictures::new();
        let size = (48, 54);
        let one = texture(1, size, 0);
        let first = pictures.save("cat/a.png", &one);
        let two = pictures.save("cat/b.png", &texture(2, size, 0));
        // the same pixels under another name and in another format
        let copy = pictures.save("dog/a.bmp", &one);
        let brighter = pictures.save("dog/b.png", &texture(2, size, 6));
        let odd = pictures.save("dog/c.png", &texture(3, (20, 30), 0));
        pictures.save("owl/a.png", &texture(4, size, 0));
        fs::create_dir(pictures.0.path().join("yak")).unwrap();
        pictures.cut("owl/cut.jpg");

        let report = pictures.check();
        assert_eq!((report.images, report.classes), (6, 4));
        assert_eq!(report.size, (48, 54));
        let twins = |found: &[Twins]| -> Vec<_> {
            let pair = |t: &Twins| (t.first.clone(), t.second.clone(), t.same_class);
            found.iter().map(pair).collect()
        };
        assert_eq!(twins(&report.exact), [(first, copy, false)]);
        assert_eq!(twins(&report.near), [(two, brighter, false)]);
        assert_eq!(
            report.odd_sizes,
            [FileProblem::OddSize {
                file: odd,
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
        assert_eq!(report.images, 1);
    }

    #[test]
    fn a_shrunk_copy_is_a_near_twin() {
        let pictures = Pictures::new();
        let large = texture(5, (96, 108), 0);
        pictures.save("cat/a.png", &large);
        pictures.save("cat/b.png", &texture(6, (96, 108), 0));
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
        assert!(check_folder(&pictures.0.path().join("class0")).is_err());
    }
}
