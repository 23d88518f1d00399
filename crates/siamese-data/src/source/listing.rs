//! A data set listed: what there is, what it is called, and where its bytes are. No picture is decoded.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siamese_words::counted;

use super::origin::Origin;
use super::shown::shown;
use super::sizes::Sizes;
use super::store::Store;
use crate::error::DataError;
use crate::picture::{Looks, is_any_picture_name, limits};
use crate::split::Part;
use crate::superclass::superclass_of_class;

/// A data set as it was found: its classes and pictures, of which none is decoded yet.
///
/// ```no_run
/// use siamese_data::{Colour, Fit, Framing, OpenOptions, open};
///
/// let options = OpenOptions::default();
/// let listing = open("photos/", &options)?;
/// print!("{}", listing.describe());
/// let framing = Framing { height: 128, width: 128, colour: Colour::Rgb, fit: Fit::Crop };
/// let images = listing.load(&framing, &options)?.images;
/// # Ok::<(), siamese_data::DataError>(())
/// ```
#[derive(Debug)]
pub struct Listing {
    /// A short name, fit for a folder: `birds`, `cifar100`.
    pub name: String,
    /// A name for people: `CIFAR-100`.
    pub title: String,
    /// The licence, where the set is known.
    pub licence: Option<String>,
    /// Whom to cite, where the set is known.
    pub citation: Option<String>,
    /// The set's repository on the Hugging Face hub, where it has one.
    pub hub_id: Option<String>,
    /// What was recognised, in words: "a folder with one subfolder per class".
    pub kind: String,
    /// Where it lies.
    pub origin: Origin,
    /// Why a sample stands in for the whole set, where it was not asked for.
    pub fallback: Option<String>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Whether nothing is known of classes: each picture is one of its own then.
    pub unlabelled: bool,
    /// The names of the superclasses; empty where there are none.
    pub superclasses: Vec<String>,
    /// The names of the groups; empty where there are none.
    pub groups: Vec<String>,
    /// The pictures.
    pub items: Vec<Item>,
    /// The pairs, where the source is a table of pairs. Its classes are then the pictures that pairs of the same
    /// thing join.
    pub pairs: Option<Vec<ListedPair>>,
    /// What was passed over.
    pub left_out: Vec<LeftOut>,
    /// The sizes of the pictures, by their headers.
    pub sizes: Sizes,
    /// Whether the files are, by their md5, those that were published; `None` where that cannot be said.
    pub verified: Option<bool>,
    /// The display name of each picture.
    pub(crate) names: Vec<String>,
    /// Shared with the images that are made of it.
    pub(crate) store: Arc<Store>,
}

/// One picture of a [`Listing`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// An index into [`Listing::classes`].
    pub label: u32,
    /// An index into [`Listing::superclasses`].
    pub superclass: Option<u32>,
    /// An index into [`Listing::groups`]: pictures of one group are never split across parts.
    pub group: Option<u32>,
    /// The part that the source says it belongs to.
    pub part: Option<Part>,
}

/// One row of a table of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedPair {
    /// The first picture, an index into [`Listing::items`].
    pub a: u32,
    /// The second picture.
    pub b: u32,
    /// Whether both show the same thing.
    pub same: bool,
    /// The part that the table says it belongs to.
    pub part: Option<Part>,
}

/// Something that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file, or the table's line.
    pub what: String,
    /// The kind of reason, the same words for the same reason.
    pub why: String,
    /// Whether the set loses a picture by it: not by what tools leave behind, nor by a file that is none.
    pub picture: bool,
}

impl LeftOut {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            picture: true,
        }
    }

    /// A path with bytes that are no text shown as `\xNN`, so that no two are shown alike.
    pub(crate) fn path(what: &Path, why: impl Into<String>) -> Self {
        Self::new(shown(what.as_os_str()), why)
    }

    /// A path at which nothing is lost.
    pub(crate) fn beside(what: &Path, why: impl Into<String>) -> Self {
        Self {
            picture: false,
            ..Self::path(what, why)
        }
    }

    /// The file at a path that `looks` so; `None` if that is a picture. One that is named as pictures are is lost.
    pub(crate) fn unless_picture(what: &Path, looks: Looks) -> Option<Self> {
        let why = looks.why_not()?;
        let picture = matches!(looks, Looks::Unread(_)) || is_any_picture_name(what);
        Some(Self {
            picture,
            ..Self::path(what, why)
        })
    }
}

impl Listing {
    /// The set's repository on the hub, where it is sure that the pictures are that set's: fetched from there, the sample
    /// of it, or by their md5. A folder that only looks like a known set has none.
    pub fn hub_name(&self) -> Option<&str> {
        let sure = match self.origin {
            Origin::Hub { .. } | Origin::Sample(_) => true,
            Origin::Path(_) => self.verified == Some(true),
        };
        self.hub_id.as_deref().filter(|_| sure)
    }

    /// The title; where the files are known not to be those that were published, it says so.
    pub fn honest_title(&self) -> String {
        match self.verified {
            Some(false) if !matches!(self.origin, Origin::Sample(_)) => {
                format!("{} (other files than were published)", self.title)
            }
            _ => self.title.clone(),
        }
    }

    /// An empty listing, to be filled.
    pub(crate) fn new(path: &Path, kind: impl Into<String>, store: Store) -> Self {
        let name = name_of_path(path);
        Self {
            title: name.clone(),
            name,
            licence: None,
            citation: None,
            hub_id: None,
            kind: kind.into(),
            origin: Origin::Path(path.canonicalize().unwrap_or_else(|_| path.to_path_buf())),
            fallback: None,
            classes: Vec::new(),
            unlabelled: false,
            superclasses: Vec::new(),
            groups: Vec::new(),
            items: Vec::new(),
            pairs: None,
            left_out: Vec::new(),
            sizes: Sizes::default(),
            verified: None,
            names: Vec::new(),
            store: Arc::new(store),
        }
    }

    /// Looks at the headers of some pictures, and checks that there is something to learn from.
    ///
    /// # Errors
    ///
    /// [`DataError::Unrecognised`] if there are fewer than two classes, or no picture.
    pub(crate) fn finish(mut self, path: &Path) -> Result<Self, DataError> {
        debug_assert_eq!(self.items.len(), self.store.len());
        debug_assert_eq!(self.items.len(), self.names.len());
        if self.items.is_empty() {
            return Err(DataError::unrecognised(
                path,
                format!(
                    "it looks like {}, but no picture in it can be read{}",
                    self.kind,
                    self.reasons()
                ),
                "check the paths, and what was left out",
            ));
        }
        if self.pairs.is_none() && self.classes.len() < 2 {
            return Err(DataError::unrecognised(
                path,
                format!(
                    "there is only one class, {1}, with {0}",
                    counted(self.items.len(), "picture"),
                    self.classes.join(", ")
                ),
                "at least two classes are needed: name the folder above, with one subfolder per class, or a table \
                 with the columns path,label",
            ));
        }
        self.sizes = Sizes::of(&self.store, &limits()?);
        Ok(self)
    }

    /// The display name of picture `item`: its path within the set, or `file.parquet#row`.
    ///
    /// # Panics
    ///
    /// If there is no picture `item`, as indexing a slice does.
    pub fn name_of(&self, item: usize) -> &str {
        &self.names[item]
    }

    /// How many pictures the source puts into `part`.
    pub fn count(&self, part: Part) -> usize {
        self.items
            .iter()
            .filter(|item| item.part == Some(part))
            .count()
    }

    /// For each class the superclass of its pictures, as [`ImageSet::superclass_of_class`] has it.
    ///
    /// [`ImageSet::superclass_of_class`]: crate::ImageSet::superclass_of_class
    pub fn superclass_of_class(&self) -> Option<Vec<u32>> {
        let items = self.items.iter();
        let of_items: Option<Vec<(u32, u32)>> =
            items.map(|i| Some((i.label, i.superclass?))).collect();
        superclass_of_class(self.classes.len(), of_items?)
    }

    /// What distinguishes the source's files from any others: where they are, their lengths and times. Another
    /// fingerprint means that a file changed, came or went.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] names a file that is gone.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        self.store.fingerprint()
    }
}

/// What the path's last name is without its endings, fit for a folder.
pub(crate) fn name_of_path(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = shown(whole.file_name().unwrap_or(std::ffi::OsStr::new("data")));
    let endings = [
        ".gz", ".tgz", ".tar", ".zip", ".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet",
    ];
    let stem = endings.iter().fold(name.as_str(), |name, ending| {
        name.strip_suffix(ending).unwrap_or(name)
    });
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let stem: String = stem.chars().map(plain).collect();
    match stem.trim_matches(['-', '.']) {
        "" => "data".into(),
        stem => stem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_a_folder() {
        assert_eq!(name_of_path(Path::new("/x/att-faces.tar.gz")), "att-faces");
        assert_eq!(name_of_path(Path::new("/x/My photos (2)")), "My-photos--2");
        assert_eq!(name_of_path(Path::new("/x/…")), "data");
    }
}
