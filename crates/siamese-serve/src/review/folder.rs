//! A labelled folder whose pictures are moved: to another class, or out of it, and back.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use siamese_data::{OpenOptions, check_listing, file_at, open};

use crate::error::Error;

/// The journal of what was moved, one move a line, in the folder of what was discarded.
const JOURNAL: &str = "moved.jsonl";

/// A labelled folder under review.
pub(crate) struct Folder {
    root: PathBuf,
    /// Beside the folder, never in it: there it would be a class.
    discarded: PathBuf,
    pub(crate) classes: Vec<String>,
    pub(crate) crops: Vec<Crop>,
    /// What was moved and not taken back, the last one last.
    pub(crate) moves: Vec<Move>,
}

/// A picture of the folder.
pub(crate) struct Crop {
    /// The class that it has now; `None` where it was discarded.
    pub(crate) class: Option<String>,
    /// What it is called in the folder as it was opened.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// Why it is to be looked at first.
    pub(crate) finding: Option<String>,
}

/// A picture that was moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Move {
    from: PathBuf,
    to: PathBuf,
}

impl Folder {
    /// Lists the folder, and looks for what is wrong in it.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        let root = fs::canonicalize(root)?;
        let listing = open(&root, &OpenOptions::default())?;
        let name = root.file_name().unwrap_or_default();
        let discarded = root.parent().unwrap_or(&root).join("discarded").join(name);
        let crop = |number: usize| {
            let name = listing.name_of(number);
            Some(Crop {
                class: Some(listing.classes[listing.items[number].label as usize].clone()),
                name: name.to_string(),
                file: file_at(&root, name)?,
                finding: None,
            })
        };
        let mut crops: Vec<Crop> = (0..listing.items.len()).filter_map(crop).collect();
        if crops.is_empty() {
            let why = "it has no picture that is a file in the folder of its class";
            return Err(Error::Config(format!("{}: {why}", root.display())));
        }
        let report = check_listing(&listing)?;
        let unread = report
            .unreadable
            .iter()
            .map(|left| (&left.what, left.why.clone()));
        let twins = report.exact.iter().chain(&report.near).map(|twins| {
            let kind = if twins.correlation >= 1.0 {
                "the same as"
            } else {
                "looks like"
            };
            (&twins.second, format!("{kind} {}", twins.first))
        });
        for (name, why) in unread.chain(twins) {
            if let Some(crop) = crops.iter_mut().find(|crop| crop.name == *name) {
                crop.finding.get_or_insert(why);
            }
        }
        let moves = journal(&discarded.join(JOURNAL))?;
        Ok(Self {
            root,
            discarded,
            classes: listing.classes,
            crops,
            moves,
        })
    }

    /// Moves a picture to another of the classes, or out of all.
    pub(crate) fn put(&mut self, number: usize, class: Option<&str>) -> io::Result<()> {
        let crop = &self.crops[number];
        let old = crop.class.as_deref().unwrap_or_default();
        let from = crop.file.clone();
        let own = from.parent().filter(|own| own.starts_with(&self.root));
        let place = match class {
            // in a set of several parts, within its own part
            Some(class) => {
                own.map_or_else(|| self.root.join(class), |own| own.with_file_name(class))
            }
            None => self.discarded.join(old),
        };
        let to = free(&place, &from)?;
        fs::create_dir_all(&self.discarded)?;
        // told before it is done: what was told and not done is no harm when it is taken back
        self.moves.push(Move {
            from: from.clone(),
            to: to.clone(),
        });
        self.write()?;
        fs::create_dir_all(&place)?;
        fs::rename(&from, &to)?;
        let crop = &mut self.crops[number];
        crop.file = to;
        crop.class = class.map(str::to_string);
        Ok(())
    }

    /// Takes the last move back; the number of its picture, where it is one of those listed.
    pub(crate) fn take_back(&mut self) -> io::Result<Option<usize>> {
        let Some(Move { from, to }) = self.moves.pop() else {
            return Ok(None);
        };
        if to.exists() && !from.exists() {
            fs::rename(&to, &from)?;
        }
        self.write()?;
        let number = self.crops.iter().position(|crop| crop.file == to);
        if let Some(crop) = number.map(|number| &mut self.crops[number]) {
            let own = from.parent().filter(|own| own.starts_with(&self.root));
            let class = own.and_then(Path::file_name);
            crop.class = class.map(|class| class.to_string_lossy().into_owned());
            crop.file = from;
        }
        Ok(number)
    }

    fn write(&self) -> io::Result<()> {
        let lines = self.moves.iter().map(serde_json::to_string);
        let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        siamese_files::write_whole(&self.discarded.join(JOURNAL), |file| {
            lines.iter().try_for_each(|line| writeln!(file, "{line}"))
        })
    }
}

/// What was moved before, and not taken back.
fn journal(path: &Path) -> Result<Vec<Move>, Error> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let line = |(number, line): (usize, &str)| {
        let place = format!("{}:{}", path.display(), number + 1);
        serde_json::from_str(line).map_err(|why| Error::Config(format!("{place}: {why}")))
    };
    text.lines().enumerate().map(line).collect()
}

/// A path in `folder` of the file's own name, or of that with a number, that nothing has.
fn free(folder: &Path, file: &Path) -> io::Result<PathBuf> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let ending = file
        .extension()
        .map(|ending| format!(".{}", ending.to_string_lossy()));
    let ending = ending.unwrap_or_default();
    let names = std::iter::once(format!("{stem}{ending}"));
    let mut names = names.chain((2..10_000).map(|number| format!("{stem}-{number}{ending}")));
    let found = names.find(|name| !folder.join(name).exists());
    let found = found.map(|name| folder.join(name));
    found.ok_or_else(|| io::Error::other("there are ten thousand files of that name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path) -> PathBuf {
        for (class, grey) in [("anna", 10u8), ("anna", 90), ("bert", 200)] {
            let place = folder.join("faces").join(class);
            fs::create_dir_all(&place).unwrap();
            let shade = |x: u32, y: u32| image::Luma([grey.wrapping_add((x * y) as u8)]);
            image::GrayImage::from_fn(20, 16, shade)
                .save(place.join(format!("{grey}.png")))
                .unwrap();
        }
        folder.join("faces")
    }

    #[test]
    fn a_picture_is_moved_discarded_and_brought_back_even_by_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let root = made(folder.path());
        let mut review = Folder::open(&root).unwrap();
        let number = review
            .crops
            .iter()
            .position(|crop| crop.name.ends_with("90.png"))
            .unwrap();
        review.put(number, Some("bert")).unwrap();
        assert!(root.join("bert/90.png").is_file());
        review.put(number, None).unwrap();
        assert!(folder.path().join("discarded/faces/bert/90.png").is_file());
        assert_eq!(review.crops[number].class, None);

        let mut later = Folder::open(&root).unwrap();
        assert_eq!((later.moves.len(), later.crops.len()), (2, 2));
        assert_eq!(
            later.take_back().unwrap(),
            None,
            "it was not listed any more"
        );
        assert!(root.join("bert/90.png").is_file());
        let mut last = Folder::open(&root).unwrap();
        let number = last.take_back().unwrap().unwrap();
        assert_eq!(last.crops[number].class.as_deref(), Some("anna"));
        assert!(root.join("anna/90.png").is_file() && last.take_back().unwrap().is_none());
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let root = made(folder.path());
        fs::copy(root.join("anna/10.png"), root.join("bert/10.png")).unwrap();
        let mut review = Folder::open(&root).unwrap();
        let number = review
            .crops
            .iter()
            .position(|crop| crop.name.ends_with("anna/10.png"))
            .unwrap();
        review.put(number, Some("bert")).unwrap();
        assert!(root.join("bert/10.png").is_file() && root.join("bert/10-2.png").is_file());
        let twin = review.crops.iter().find_map(|crop| crop.finding.as_deref());
        assert_eq!(twin, Some("the same as anna/10.png"));
    }
}
