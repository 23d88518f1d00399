//! Pictures that a model is used on: single files, loose ones in a folder, or any data set, one class included.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::by_folders::by_folders;
use super::listing::{LeftOut, Listing};
use super::open::open;
use super::options::OpenOptions;
use super::pixels::picture;
use super::shown::shown;
use super::store::Store;
use super::stored::Stored;
use super::walk::{pictures, walk};
use crate::digest::sha256;
use crate::error::DataError;
use crate::picture::{Colour, Framing, Looks, Picture, PictureLimits, limits, looks_of_file};

/// Pictures to use a model on, of which none is decoded yet.
///
/// Where [`open`] wants a set to learn from, with two classes or more, this takes what there is: a picture, a folder of
/// loose ones, a folder with one class.
#[derive(Debug, Default)]
pub struct Pictures {
    /// The pictures, in the order of the places and within each of its listing.
    pub items: Vec<PictureItem>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What was passed over.
    pub left_out: Vec<LeftOut>,
    stores: Vec<Arc<Store>>,
    /// The number of each class.
    numbers: HashMap<String, u32>,
}

/// One picture of [`Pictures`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureItem {
    /// Its path as given or found, or what else tells it from others: `file.parquet#row`.
    pub name: String,
    /// An index into [`Pictures::classes`], where a folder or a table says it.
    pub class: Option<u32>,
    /// The file that holds it and nothing else.
    pub file: Option<PathBuf>,
    store: u32,
    item: u32,
}

/// A picture read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPicture {
    /// (H, W, C), framed.
    pub pixels: Vec<u8>,
    /// SHA-256 of the bytes that it was stored in.
    pub sha256: String,
    /// RGB (H, W, C) of its own shape, with its (height, width), where one was asked for.
    pub thumbnail: Option<(Vec<u8>, (usize, usize))>,
}

impl Pictures {
    /// The pictures at `places`, each a picture, a folder of pictures or of class folders, or what [`open`] takes.
    ///
    /// # Errors
    ///
    /// Those of [`open`]; the message names the place.
    pub fn open<P: AsRef<OsStr>>(places: &[P], options: &OpenOptions) -> Result<Self, DataError> {
        let mut all = Self::default();
        for place in places {
            all.add(Path::new(place.as_ref()), options)?;
        }
        Ok(all)
    }

    /// These files, without classes; none is looked at yet.
    pub fn files<P: AsRef<Path>>(files: &[P]) -> Self {
        let mut all = Self::default();
        let item = |file: &P| {
            let file = file.as_ref();
            (file.to_path_buf(), shown(file.as_os_str()), None)
        };
        all.add_files(files.iter().map(item).collect());
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The class of picture `item`, where it has one.
    pub fn class_of(&self, item: usize) -> Option<&str> {
        let class = self.items[item].class?;
        Some(&self.classes[class as usize])
    }

    /// Reads picture `item`; with a thumbnail no side of which is longer than `thumbnail`, where that is given. An
    /// error says what is wrong with it, in words.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read.
    pub fn read(
        &self,
        item: usize,
        framing: &Framing,
        limits: &PictureLimits,
        thumbnail: Option<usize>,
    ) -> Result<ReadPicture, String> {
        let (picture, sha256) = self.picture(item, Some(framing), limits)?;
        Ok(ReadPicture {
            pixels: picture.frame(framing),
            sha256,
            thumbnail: thumbnail.map(|most| picture.thumbnail(most)),
        })
    }

    /// Picture `item`, upright and as large as it is, or as [`decode`](crate::decode) makes it for a framing; and SHA-256 of
    /// the bytes that it was stored in. An error says what is wrong with it, in words.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read.
    pub fn picture(
        &self,
        item: usize,
        framing: Option<&Framing>,
        limits: &PictureLimits,
    ) -> Result<(Picture, String), String> {
        let PictureItem { store, item, .. } = self.items[item];
        let stored = self.stores[store as usize].picture(item as usize, limits)?;
        let sha256 = match &stored {
            Stored::Encoded(bytes) => sha256(bytes),
            Stored::Raw(raw) => sha256(&raw.pixels),
        };
        Ok((picture(stored, framing, limits)?, sha256))
    }

    /// Picture `item` as RGB (H, W, C), upright and as large as it is, with its (height, width). An error says what is
    /// wrong with it, in words.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read.
    pub fn whole(&self, item: usize) -> Result<(Vec<u8>, (usize, usize)), String> {
        let PictureItem { store, item, .. } = self.items[item];
        let limits = limits().map_err(|error| error.to_string())?;
        let stored = self.stores[store as usize].picture(item as usize, &limits)?;
        let picture = picture(stored, None, &limits)?;
        let size = (picture.height(), picture.width());
        Ok((picture.pixels(Colour::Rgb), size))
    }

    fn add(&mut self, place: &Path, options: &OpenOptions) -> Result<(), DataError> {
        let is_picture = matches!(looks_of_file(place), Ok(Looks::Picture(_)));
        if place.is_file() && is_picture {
            self.add_files(vec![(place.to_path_buf(), shown(place.as_os_str()), None)]);
            return Ok(());
        }
        match open(place, options) {
            Ok(listing) => self.add_listing(listing),
            Err(error @ DataError::Unrecognised { .. }) if place.is_dir() => {
                return self.add_folder(place, error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn add_listing(&mut self, listing: Listing) {
        let files: Option<&Vec<PathBuf>> = match &*listing.store {
            Store::Files(files) => Some(files),
            Store::Spans(_) => None,
            #[cfg(feature = "parquet")]
            Store::Rows(_) => None,
        };
        let store = self.stores.len() as u32;
        // the classes of a table of pairs are only what its pairs join
        let has_classes = listing.pairs.is_none();
        let classes: Vec<u32> = match has_classes {
            true => listing.classes.iter().map(|c| self.class(c)).collect(),
            false => Vec::new(),
        };
        for (number, item) in listing.items.iter().enumerate() {
            let file = files.map(|files| files[number].clone());
            let own_name = || listing.name_of(number).to_string();
            self.items.push(PictureItem {
                name: file
                    .as_ref()
                    .map_or_else(own_name, |file| shown(file.as_os_str())),
                class: classes.get(item.label as usize).copied(),
                file,
                store,
                item: number as u32,
            });
        }
        self.stores.push(listing.store);
        self.left_out.extend(listing.left_out);
    }

    /// A folder that is no set to learn from: of one class, or of loose pictures. Anything else is `refused`.
    fn add_folder(&mut self, root: &Path, refused: DataError) -> Result<(), DataError> {
        let mut walked = walk(root)?;
        let found = pictures(root, walked.files, &mut walked.left_out);
        let loose = found.iter().all(|file| file.components().count() == 1);
        let classes: Vec<Option<String>> = match (found.is_empty(), loose) {
            (true, _) => return Err(refused),
            (false, true) => vec![None; found.len()],
            (false, false) => {
                let Ok(by_folders) = by_folders(root, &found) else {
                    return Err(refused);
                };
                let mut classes = vec![None; found.len()];
                for (at, item) in by_folders.items {
                    classes[at] = Some(by_folders.classes[item.label as usize].clone());
                }
                walked.left_out.extend(by_folders.left_out);
                classes
            }
        };
        let files = found.iter().zip(classes).filter_map(|(file, class)| {
            let whole = root.join(file);
            let name = shown(whole.as_os_str());
            (loose || class.is_some()).then_some((whole, name, class))
        });
        let files = files.collect();
        self.left_out.extend(walked.left_out);
        self.add_files(files);
        Ok(())
    }

    fn add_files(&mut self, files: Vec<(PathBuf, String, Option<String>)>) {
        let store = self.stores.len() as u32;
        let mut paths = Vec::with_capacity(files.len());
        for (number, (file, name, class)) in (0u32..).zip(files) {
            let class = class.map(|class| self.class(&class));
            paths.push(file.clone());
            self.items.push(PictureItem {
                name,
                class,
                file: Some(file),
                store,
                item: number,
            });
        }
        self.stores.push(Arc::new(Store::Files(paths)));
    }

    /// The number of the class `name`, which two places may have in common.
    fn class(&mut self, name: &str) -> u32 {
        if let Some(&known) = self.numbers.get(name) {
            return known;
        }
        let number = self.classes.len() as u32;
        self.classes.push(name.to_string());
        self.numbers.insert(name.to_string(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: &[u8] = b"P5 3 2 255\n\x00\x0a\x14\x1e\x28\x32";

    fn made(folder: &Path, names: &[&str]) {
        for (i, name) in names.iter().enumerate() {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = GREY.to_vec();
            *bytes.last_mut().unwrap() = i as u8;
            std::fs::write(path, bytes).unwrap();
        }
    }

    fn found(pictures: &Pictures) -> Vec<(String, Option<&str>)> {
        let last = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        (0..pictures.len())
            .map(|i| {
                (
                    last(pictures.items[i].file.as_ref().unwrap()),
                    pictures.class_of(i),
                )
            })
            .collect()
    }

    #[test]
    fn a_picture_loose_ones_one_class_and_several_are_all_taken() {
        let folder = tempfile::tempdir().unwrap();
        made(
            folder.path(),
            &["one.pgm", "loose/a.pgm", "loose/b.pgm", "single/cat/c.pgm"],
        );
        made(folder.path(), &["set/cat/d.pgm", "set/dog/e.pgm"]);
        let places = ["one.pgm", "loose", "single", "set"].map(|name| folder.path().join(name));
        let pictures = Pictures::open(&places, &OpenOptions::default()).unwrap();
        let expected = [
            ("one.pgm", None),
            ("a.pgm", None),
            ("b.pgm", None),
            ("c.pgm", Some("cat")),
            ("d.pgm", Some("cat")),
            ("e.pgm", Some("dog")),
        ];
        let expected: Vec<_> = expected.map(|(name, class)| (name.into(), class)).into();
        assert_eq!(found(&pictures), expected);
        assert_eq!(pictures.classes, ["cat", "dog"]);
    }

    #[test]
    fn what_lies_outside_of_the_class_folders_is_left_out_by_name() {
        let folder = tempfile::tempdir().unwrap();
        made(folder.path(), &["cat/a.pgm", "cover.pgm"]);
        let pictures = Pictures::open(&[folder.path()], &OpenOptions::default()).unwrap();
        assert_eq!(found(&pictures), [("a.pgm".into(), Some("cat"))]);
        assert_eq!(pictures.left_out[0].what, "cover.pgm");
    }

    #[test]
    fn a_folder_without_a_picture_is_refused_as_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let error = Pictures::open(&[folder.path()], &OpenOptions::default());
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("there is no picture in it"), "{error}");
    }

    #[test]
    fn a_picture_read_has_its_pixels_its_print_and_a_thumbnail_of_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        made(folder.path(), &["a.pgm"]);
        let pictures =
            Pictures::open(&[folder.path().join("a.pgm")], &OpenOptions::default()).unwrap();
        let framing = Framing {
            height: 2,
            width: 3,
            colour: crate::Colour::Grey,
            fit: crate::Fit::Crop,
        };
        let limits = PictureLimits::default();
        let read = pictures.read(0, &framing, &limits, Some(96)).unwrap();
        assert_eq!(read.pixels, [0, 10, 20, 30, 40, 0]);
        let stored = std::fs::read(folder.path().join("a.pgm")).unwrap();
        assert_eq!(read.sha256, sha256(&stored));
        let (pixels, size) = read.thumbnail.unwrap();
        assert_eq!((pixels.len(), size), (2 * 3 * 3, (2, 3)));
        std::fs::write(folder.path().join("a.pgm"), b"P5 3 2 255\n\x00").unwrap();
        assert!(pictures.read(0, &framing, &limits, None).is_err());
    }
}
