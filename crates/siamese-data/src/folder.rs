//! Labelled images from a folder with one subfolder per class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, ImageResult};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::locate::entries;
use crate::{DataError, ImageSet};

const EXTENSIONS: [&str; 10] = [
    "png", "jpg", "jpeg", "webp", "gif", "bmp", "pgm", "ppm", "pbm", "pnm",
];

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
    let names: Vec<PathBuf> = entries(folder).into_iter().filter(|p| p.is_dir()).collect();
    let files: Vec<(u32, PathBuf)> = (0u32..)
        .zip(&names)
        .flat_map(|(label, class)| pictures(class).into_iter().map(move |file| (label, file)))
        .collect();
    let Some(size) = size.or_else(|| most_common_size(&files)) else {
        return Err(DataError::NotADataSet {
            path: folder.to_path_buf(),
            expected: "a folder with one subfolder of pictures per class",
            found: format!("{} subfolders and no readable picture in them", names.len()),
        });
    };

    let read = files.into_par_iter().map(|(label, file)| {
        let picture = read_picture(&file, size);
        (label, file, picture)
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
    let name = |path: &PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into()
    };
    let classes = names.iter().map(name).collect();
    Ok(ImageFolder {
        set: ImageSet::new(size.0, size.1, 3, pixels, labels, classes)?,
        files: kept,
        problems,
    })
}

/// Reads one picture as RGB (H, W, C) of `size` (height, width), turned upright and resized as
/// [`read_image_folder`] does.
///
/// # Errors
///
/// [`DataError::NotADataSet`] if the file is missing or no readable picture; the message names it.
pub fn read_image(file: &Path, size: (usize, usize)) -> Result<Vec<u8>, DataError> {
    let (pixels, _) = read_picture(file, size).map_err(|error| DataError::NotADataSet {
        path: file.to_path_buf(),
        expected: "a readable picture",
        found: error.to_string(),
    })?;
    Ok(pixels)
}

/// The files in `folder` that are named as pictures are.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| {
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        EXTENSIONS.contains(&extension.to_lowercase().as_str())
    });
    files
}

/// The (height, width) of most files; of several, the smallest.
fn most_common_size(files: &[(u32, PathBuf)]) -> Option<(usize, usize)> {
    let sizes = files.par_iter().filter_map(|(_, file)| {
        let (decoder, orientation) = open(file).ok()?;
        let (width, height) = decoder.dimensions();
        let turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        let (height, width) = if turned {
            (width, height)
        } else {
            (height, width)
        };
        Some((height as usize, width as usize))
    });
    let mut counts = BTreeMap::new();
    for size in sizes.collect::<Vec<_>>() {
        *counts.entry(size).or_insert(0usize) += 1;
    }
    let most = counts.into_iter().rev().max_by_key(|&(_, count)| count);
    most.map(|(size, _)| size)
}

/// The pixels of `file` at (height, width), and the size that it had.
fn read_picture(
    file: &Path,
    (height, width): (usize, usize),
) -> ImageResult<(Vec<u8>, (usize, usize))> {
    let (decoder, orientation) = open(file)?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let found = (image.height() as usize, image.width() as usize);
    if found != (height, width) {
        image = image.resize_exact(width as u32, height as u32, FilterType::CatmullRom);
    }
    Ok((image.into_rgb8().into_raw(), found))
}

fn open(file: &Path) -> ImageResult<(impl ImageDecoder, Orientation)> {
    let mut decoder = ImageReader::open(file)?
        .with_guessed_format()?
        .into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
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
        assert_eq!(read.set.image(0), first);
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
            (read.set.height, read.set.width, read.set.image(0).len()),
            (5, 4, 60)
        );
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
    }
}
