//! One-shot trials from files, as Lake's on Omniglot: each test image belongs to one of a few training images.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use siamese_files::limits::check_growth;
use siamese_files::{guarded, open_regular, read_regular};
use zip::ZipArchive;

use crate::entries::entries;
use crate::picture::{Colour, Fit, Framing, Looks, decode, limits, looks_of_file};
use crate::source::sample;
use crate::{DataError, ImageSet};

const LABELS: &str = "class_labels.txt";
const ARCHIVE: &str = "all_runs.zip";
const EXPECTED: &str = "one-shot trials: wanted is all_runs.zip or its unpacked folder \
                        (run01/class_labels.txt, run01/training/*.png, run01/test/*.png, …)";

/// One run of trials: every test image is to be given to one of the training images, one per class.
#[derive(Clone)]
pub struct OneShotRun {
    /// The run's folder, as `run01`.
    pub name: String,
    /// One grey image per class; image `i` is of class `i`.
    pub training: ImageSet,
    /// Grey images, labelled with their true class.
    pub test: ImageSet,
}

/// The folder or archive of Lake's 400 trials that is bundled with the repository.
///
/// # Errors
///
/// [`DataError::NoSample`] where it cannot be found.
pub fn bundled_one_shot_runs() -> Result<PathBuf, DataError> {
    Ok(sample::find("omniglot", None)?.join(ARCHIVE))
}

/// Reads runs from `all_runs.zip`, or from a folder that holds it or what it unpacks to.
///
/// Each run has `class_labels.txt`, a test image and the training image of its class on each line, their paths
/// beginning with the run's folder. Paper is white (255), ink black (0). `size` is (height, width); `None` leaves
/// images as they are, and they must be of one size then.
///
/// # Errors
///
/// [`DataError::NotADataSet`] if there are no runs; [`DataError::Damaged`] names the archive or folder, and the line
/// or image in it that cannot be read.
pub fn read_one_shot_runs(
    path: &Path,
    size: Option<(usize, usize)>,
) -> Result<Vec<OneShotRun>, DataError> {
    let inside = path.join(ARCHIVE);
    let path = if inside.is_file() { &inside } else { path };
    let mut files = Files::open(path)?;
    let runs: Vec<String> = files
        .names
        .iter()
        .filter_map(|name| Some(name.strip_suffix(LABELS)?.trim_end_matches('/').to_string()))
        .filter(|run| !run.is_empty())
        .collect();
    if runs.is_empty() {
        return Err(not_trials(path, "nothing of that kind"));
    }
    runs.iter()
        .map(|run| read_run(&mut files, run, size))
        .collect()
}

fn read_run(
    files: &mut Files,
    run: &str,
    size: Option<(usize, usize)>,
) -> Result<OneShotRun, DataError> {
    let labels = files.read(&format!("{run}/{LABELS}"))?;
    let pairs = parse_labels(&String::from_utf8_lossy(&labels))
        .map_err(|reason| DataError::damaged(&files.path, format!("{run}/{LABELS}:{reason}")))?;
    let folder = format!("{run}/training/");
    let shown: Vec<String> = files
        .names
        .iter()
        .filter(|name| name.starts_with(&folder) && name.ends_with(".png"))
        .cloned()
        .collect();
    let class = |training: &String| {
        let found = shown.iter().position(|name| name == training);
        found.map(|class| class as u32).ok_or_else(|| {
            let reason = format!("{run}/{LABELS} names {training}, which is not there");
            DataError::damaged(&files.path, reason)
        })
    };
    let truth: Vec<u32> = pairs
        .iter()
        .map(|(_, training)| class(training))
        .collect::<Result<_, _>>()?;
    let asked: Vec<String> = pairs.into_iter().map(|(test, _)| test).collect();
    let classes = (0..shown.len() as u32).collect();
    Ok(OneShotRun {
        name: run.to_string(),
        training: files.images(&shown, classes, &shown, size)?,
        test: files.images(&asked, truth, &shown, size)?,
    })
}

/// A test image and the training image of its class per line; an error begins with the line's number.
fn parse_labels(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (i, line) in text.lines().enumerate() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => {}
            [test, training] => pairs.push((test.to_string(), training.to_string())),
            _ => {
                return Err(format!(
                    "{}: expected a test and a training image, found {line:?}",
                    i + 1
                ));
            }
        }
    }
    if pairs.is_empty() {
        return Err(" it holds no trial".into());
    }
    Ok(pairs)
}

/// The files of an archive or of a folder with one level of runs.
struct Files {
    path: PathBuf,
    archive: Option<ZipArchive<File>>,
    /// As `run01/training/class01.png`.
    names: BTreeSet<String>,
}

impl Files {
    fn open(path: &Path) -> Result<Self, DataError> {
        let (archive, names) = if path.is_dir() {
            (None, names_below(path))
        } else {
            let (file, _) = open_regular(path).map_err(DataError::io("reading", path))?;
            let read = guarded(|| ZipArchive::new(file).map_err(|e| e.to_string()));
            let archive = read.unwrap_or_else(Err).map_err(|e| {
                let looks = looks_of_file(path).map_or("a file", Looks::in_words);
                not_trials(path, &format!("{looks}, no zip archive ({e})"))
            })?;
            let names = archive.file_names().flatten().map(String::from).collect();
            (Some(archive), names)
        };
        Ok(Self {
            path: path.to_path_buf(),
            archive,
            names,
        })
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, DataError> {
        let Some(archive) = &mut self.archive else {
            let file = self.path.join(name);
            return read_regular(&file).map_err(DataError::io("reading", &file));
        };
        let mut bytes = Vec::new();
        guarded(|| {
            let mut entry = archive.by_name(name).map_err(|e| e.to_string())?;
            check_growth(entry.compressed_size(), entry.size())?;
            // one that unpacks to more than it says is cut there, and no picture
            let most = entry.size();
            entry
                .by_ref()
                .take(most)
                .read_to_end(&mut bytes)
                .map_err(|e| e.to_string())
        })
        .unwrap_or_else(Err)
        .map_err(|reason| DataError::damaged(&self.path, format!("{name}: {reason}")))?;
        Ok(bytes)
    }

    /// The grey images called `names`.
    fn images(
        &mut self,
        names: &[String],
        labels: Vec<u32>,
        classes: &[String],
        size: Option<(usize, usize)>,
    ) -> Result<ImageSet, DataError> {
        let mut pixels = Vec::new();
        let limits = limits()?;
        let mut wanted = size;
        for name in names {
            let picture = decode(&self.read(name)?, &limits, None)
                .map_err(|e| DataError::damaged(&self.path, format!("{name}: {e}")))?;
            let (h, w) = (picture.height(), picture.width());
            let (height, width) = *wanted.get_or_insert((h, w));
            if size.is_none() && (h, w) != (height, width) {
                let reason = format!("{name} is {h}x{w} pixels, others {height}x{width}");
                return Err(DataError::damaged(&self.path, reason));
            }
            pixels.extend(picture.frame(&Framing {
                height,
                width,
                colour: Colour::Grey,
                fit: Fit::Stretch,
            }));
        }
        let (height, width) = wanted.unwrap_or_default();
        ImageSet::new(height, width, 1, pixels, labels, classes.to_vec())
    }
}

/// The files in the folders of a folder, and in the folders of those.
fn names_below(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let folders = entries(root).into_iter().filter(|path| path.is_dir());
    for entry in folders.flat_map(|run| entries(&run)) {
        let files = if entry.is_dir() {
            entries(&entry)
        } else {
            vec![entry]
        };
        let relative = files.iter().filter_map(|file| file.strip_prefix(root).ok());
        names.extend(relative.map(|path| {
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            parts.join("/")
        }));
    }
    names
}

fn not_trials(path: &Path, found: &str) -> DataError {
    DataError::NotADataSet {
        path: path.to_path_buf(),
        expected: EXPECTED,
        found: found.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// One run of two classes, images of 2×3 pixels.
    fn unpacked(labels: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, grey) in [
            ("training/class01", 10),
            ("training/class02", 20),
            ("test/item01", 30),
            ("test/item02", 40),
        ] {
            let file = folder.path().join(format!("run01/{name}.png"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let image =
                image::GrayImage::from_fn(3, 2, |x, y| image::Luma([grey + x as u8 + 3 * y as u8]));
            image.save(file).unwrap();
        }
        fs::write(folder.path().join("run01/class_labels.txt"), labels).unwrap();
        folder
    }

    const LABELS_OF_TWO: &str = "run01/test/item01.png run01/training/class02.png\n\
                                 run01/test/item02.png run01/training/class01.png\n";

    #[test]
    fn a_folder_gives_each_test_image_the_class_that_its_line_names() {
        let folder = unpacked(LABELS_OF_TWO);
        let runs = read_one_shot_runs(folder.path(), None).unwrap();
        assert_eq!((runs.len(), runs[0].name.as_str()), (1, "run01"));
        assert_eq!(runs[0].training.labels, [0, 1]);
        assert_eq!(runs[0].test.labels, [1, 0]);
        assert_eq!(*runs[0].test.image(0).unwrap(), [30, 31, 32, 33, 34, 35]);
        let resized = read_one_shot_runs(folder.path(), Some((4, 5))).unwrap();
        assert_eq!(resized[0].training.image(1).unwrap().len(), 20);
    }

    #[test]
    fn the_bundled_archive_holds_twenty_runs_of_twenty() {
        let runs = read_one_shot_runs(&bundled_one_shot_runs().unwrap(), None).unwrap();
        assert_eq!(runs.len(), 20);
        for run in &runs {
            assert_eq!((run.training.len(), run.test.len()), (20, 20));
            assert_eq!(
                (run.test.height, run.test.width, run.test.channels),
                (105, 105, 1)
            );
            let true_classes: BTreeSet<u32> = run.test.labels.iter().copied().collect();
            assert_eq!(true_classes.len(), 20, "{}", run.name);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |path: &Path| read_one_shot_runs(path, None).err().unwrap().to_string();
        let folder = unpacked("run01/test/item01.png\n");
        let said = message(folder.path());
        assert!(
            said.contains("run01/class_labels.txt:1: expected a test"),
            "{said}"
        );
        let folder = unpacked("run01/test/item01.png run01/training/class09.png\n");
        assert!(message(folder.path()).contains("class09.png, which is not there"));
        let empty = tempfile::tempdir().unwrap();
        assert!(message(empty.path()).contains("all_runs.zip"));
        let file = empty.path().join("x.zip");
        fs::write(&file, "no archive").unwrap();
        assert!(message(&file).contains("no zip archive"));
        assert!(message(&empty.path().join("absent.zip")).contains("absent.zip"));
    }
}
