//! Labelled images from a folder with one subfolder per class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::picture::{
    Colour, Fit, Framing, Picture, PictureLimits, decode_file, is_picture_name, probe_file,
};
use crate::source::locate::entries;
use crate::source::originals::Originals;

/// A set read from a folder, with the files it is made of.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    /// The images that could be read, class by class in the order of names.
    pub set: ImageSet,
    /// The file of each image.
    pub files: Vec<PathBuf>,
    /// Files that could not be read, and those that had to be resized.
    pub problems: Vec<FileProblem>,
}

/// What is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileProblem {
    /// The file is no picture, or is cut: it was left out.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The picture has not the size of the set: it was resized.
    OddSize {
        /// The file.
        file: PathBuf,
        /// Its height in pixels.
        height: usize,
        /// Its width in pixels.
        width: usize,
    },
}

/// Reads `folder/CLASS/*.{png,jpg,…}` as RGB images of one size, on all cores.
///
/// `size` is (height, width); `None` takes the size that most files have. Images of another size
/// are resized (not cropped), and turned upright first where their EXIF data asks for it. Classes
/// and files are taken in the order of their names; files of other kinds are passed over.
///
/// # Errors
///
/// [`DataError::NotADataSet`] if there is no subfolder with a readable picture. Single files that
/// cannot be read are not an error but in [`ImageFolder::problems`].
pub fn read_image_folder(
    folder: &Path,
    size: Option<(usize, usize)>,
) -> Result<ImageFolder, DataError> {
    let listing = Listing::of(folder);
    let size = size.map_or_else(|| listing.most_common_size(), Ok)?;
    let read = listing.files.par_iter().map(|(label, file)| {
        let picture = read_stretched(file, size);
        (*label, file.clone(), picture)
    });
    let (mut pixels, mut labels, mut kept, mut problems) = (vec![], vec![], vec![], vec![]);
    for (label, file, picture) in read.collect::<Vec<_>>() {
        match picture {
            Ok((picture, found)) => {
                if found != size {
                    let (file, (height, width)) = (file.clone(), found);
                    problems.push(FileProblem::OddSize {
                        file,
                        height,
                        width,
                    });
                }
                pixels.extend(picture);
                labels.push(label);
                kept.push(file);
            }
            Err(error) => problems.push(FileProblem::Unreadable {
                file,
                reason: error.to_string(),
            }),
        }
    }
    if kept.is_empty() {
        return Err(listing.holds_nothing());
    }
    let set = ImageSet::new(size.0, size.1, 3, pixels, labels, listing.classes)?;
    Ok(ImageFolder {
        set: set.made_of(Originals::of_files(folder, &kept)),
        files: kept,
        problems,
    })
}

/// Reads one picture as RGB (H, W, C) of `size` (height, width), turned upright and resized as
/// [`read_image_folder`] does.
///
/// # Errors
///
/// [`DataError::Picture`] if the file is missing or no readable picture; the message names it.
pub fn read_image(file: &Path, size: (usize, usize)) -> Result<Vec<u8>, DataError> {
    let (pixels, _) = read_stretched(file, size)?;
    Ok(pixels)
}

/// Reads one picture as RGB (H, W, C), upright, of its own shape, shrunk until no side is longer
/// than `most`; with its (height, width).
///
/// # Errors
///
/// [`DataError::Picture`] if the file is missing or no readable picture; the message names it.
pub fn read_thumbnail(file: &Path, most: usize) -> Result<(Vec<u8>, (usize, usize)), DataError> {
    let picture = decode_file(file, &PictureLimits::default(), None)?;
    let size = within(most, (picture.height(), picture.width()));
    Ok((stretched(&picture, size), size))
}

/// (height, width) in the same proportion, no side longer than `most`.
pub(crate) fn within(most: usize, (height, width): (usize, usize)) -> (usize, usize) {
    let longest = height.max(width).max(most);
    let side = |length: usize| (length * most / longest).max(1);
    (side(height), side(width))
}

/// The files of a folder with one subfolder of pictures per class; none is opened yet.
pub(crate) struct Listing {
    folder: PathBuf,
    /// The names of the subfolders, sorted.
    pub(crate) classes: Vec<String>,
    /// Each file with its class, sorted by class and name.
    pub(crate) files: Vec<(u32, PathBuf)>,
}

impl Listing {
    pub(crate) fn of(folder: &Path) -> Self {
        let mut subfolders = entries(folder);
        subfolders.retain(|path| path.is_dir());
        let name = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let files = (0u32..).zip(&subfolders).flat_map(|(label, class)| {
            let files = pictures(class).into_iter();
            files.map(move |file| (label, file))
        });
        Self {
            folder: folder.to_path_buf(),
            classes: subfolders.iter().map(name).collect(),
            files: files.collect(),
        }
    }

    /// The (height, width) of most files; of several, the smallest.
    ///
    /// # Errors
    ///
    /// [`DataError::NotADataSet`] if no file can be read.
    pub(crate) fn most_common_size(&self) -> Result<(usize, usize), DataError> {
        let size_of = |(_, file): &(u32, PathBuf)| {
            let found = probe_file(file).ok()?;
            Some((found.height, found.width))
        };
        let sizes = self.files.par_iter().filter_map(size_of);
        let mut counts = BTreeMap::new();
        for size in sizes.collect::<Vec<_>>() {
            *counts.entry(size).or_insert(0usize) += 1;
        }
        let most = counts.into_iter().rev().max_by_key(|&(_, count)| count);
        most.map(|(size, _)| size)
            .ok_or_else(|| self.holds_nothing())
    }

    fn holds_nothing(&self) -> DataError {
        DataError::NotADataSet {
            path: self.folder.clone(),
            expected: "a folder with one subfolder of pictures per class",
            found: format!(
                "{} subfolders and no readable picture in them",
                self.classes.len()
            ),
        }
    }
}

/// The files in `folder` that are named as pictures are.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| is_picture_name(file));
    files
}

/// The pixels of `file` at (height, width), and the size that it had.
fn read_stretched(
    file: &Path,
    size: (usize, usize),
) -> Result<(Vec<u8>, (usize, usize)), DataError> {
    let picture = decode_file(file, &PictureLimits::default(), None)?;
    let found = (picture.height(), picture.width());
    Ok((stretched(&picture, size), found))
}

/// RGB (H, W, C) of (height, width); a picture of another size is resized, not cropped.
pub(crate) fn stretched(picture: &Picture, (height, width): (usize, usize)) -> Vec<u8> {
    picture.frame(&Framing {
        height,
        width,
        colour: Colour::Rgb,
        fit: Fit::Stretch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use std::fs;

    fn save(folder: &Path, name: &str, width: u32, height: u32, first: u8) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = |x: u32, y: u32| image::Rgb([first, x as u8, y as u8]);
        RgbImage::from_fn(width, height, pixel).save(path).unwrap();
    }

    #[test]
    fn subfolders_are_classes_and_most_files_give_the_size() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "dog/b.png", 3, 2, 9);
        save(folder.path(), "dog/a.png", 6, 4, 8);
        save(folder.path(), "cat/z.PNG", 3, 2, 7);
        fs::write(folder.path().join("cat/notes.txt"), "not a picture").unwrap();
        fs::write(folder.path().join("cat/cut.png"), "not a picture").unwrap();

        let read = read_image_folder(folder.path(), None).unwrap();
        assert_eq!(read.set.classes, ["cat", "dog"]);
        assert_eq!(read.set.labels, [0, 1, 1]);
        assert_eq!((read.set.height, read.set.width), (2, 3));
        // (H, W, C): the second value is the column, the third the row.
        let first = [7, 0, 0, 7, 1, 0, 7, 2, 0, 7, 0, 1, 7, 1, 1, 7, 2, 1];
        assert_eq!(*read.set.image(0).unwrap(), first);
        assert!(read.files[1].ends_with("dog/a.png"));

        let [unreadable, odd] = read.problems.as_slice() else {
            panic!("{:?}", read.problems)
        };
        let cut = folder.path().join("cat/cut.png");
        assert!(matches!(unreadable, FileProblem::Unreadable { file, .. } if *file == cut));
        assert!(matches!(
            odd,
            FileProblem::OddSize {
                height: 4,
                width: 6,
                ..
            }
        ));
    }

    #[test]
    fn a_wanted_size_is_kept_to() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "cat/a.png", 3, 2, 7);
        let read = read_image_folder(folder.path(), Some((5, 4))).unwrap();
        assert_eq!(
            (
                read.set.height,
                read.set.width,
                read.set.image(0).unwrap().len()
            ),
            (5, 4, 60)
        );
    }

    #[test]
    fn an_image_leads_back_to_its_file_and_that_files_shape() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "cat/wide.png", 12, 4, 7);
        save(folder.path(), "dog/b.png", 3, 2, 9);
        let read = read_image_folder(folder.path(), Some((5, 5))).unwrap();
        assert_eq!(
            (read.set.name(0), read.set.name(1)),
            (Some("cat/wide.png"), Some("dog/b.png"))
        );
        let last = read.set.subset(&[1, 0]);
        assert_eq!(last.name(1), Some("cat/wide.png"));
        let (pixels, size) = last.original(1, 6).unwrap();
        assert_eq!((size, pixels.len()), ((2, 6), 36));
        let (_, whole) = last.original(0, 6).unwrap();
        assert_eq!(whole, (2, 3), "a small picture stays as it is");

        fs::remove_file(folder.path().join("dog/b.png")).unwrap();
        assert!(last.original(0, 6).is_none());
    }

    #[test]
    fn a_folder_without_pictures_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cat")).unwrap();
        let error = read_image_folder(folder.path(), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("1 subfolders and no readable picture"),
            "{error}"
        );
        assert!(read_image_folder(folder.path(), Some((2, 2))).is_err());
    }
}
