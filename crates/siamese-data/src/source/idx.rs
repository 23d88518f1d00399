//! IDX files, as MNIST and its family come: images and labels side by side, gzipped or not.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::listing::{Item, Listing};
use super::mistaken::mistaken;
use super::names::{FASHION_MNIST, Known, MNIST, Published};
use super::options::OpenOptions;
use super::shown::shown;
use super::spans::{Content, Span, SpanFile, Spans};
use super::store::Store;
use super::walk::Walked;
use crate::digest;
use crate::error::DataError;
use crate::picture::HEAD;
use crate::split::Part;

const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The files of images among `walked`, directly in the folder.
pub(crate) fn image_files(walked: &Walked) -> Vec<PathBuf> {
    let is_one = |file: &&PathBuf| {
        let name = shown(file.as_os_str()).to_lowercase();
        // a download that broke off leaves its lock beside the files
        let is_lock = name.ends_with(".lock");
        let here = file.parent() == Some(Path::new("")) && !is_lock;
        here && name.contains("images") && name.contains("idx3")
    };
    walked.files.iter().filter(is_one).cloned().collect()
}

/// One part: its images, their size, and their labels.
struct Half {
    path: PathBuf,
    file: SpanFile,
    part: Option<Part>,
    height: usize,
    width: usize,
    labels: Vec<u8>,
    /// Of the images and of the labels, the md5 as they lie there and unpacked.
    digests: [[String; 2]; 2],
}

/// Lists the pictures of the files `images` in `folder`.
///
/// # Errors
///
/// [`DataError::Damaged`] names the file whose header or length does not fit; [`DataError::Unrecognised`] if a file
/// of labels is missing, or two files are of one part.
pub(crate) fn list(
    folder: &Path,
    images: &[PathBuf],
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let mut halves = images
        .iter()
        .map(|image| read(folder, image, options))
        .collect::<Result<Vec<Half>, _>>()?;
    halves.sort_by(|a, b| (a.part, &a.path).cmp(&(b.part, &b.path)));
    for pair in halves.windows(2) {
        let [a, b] = pair else { continue };
        if a.part == b.part {
            let names = format!(
                "{} and {}",
                shown(a.path.as_os_str()),
                shown(b.path.as_os_str())
            );
            let found = format!("{names} are of the same part, in two writings or of two sets");
            return Err(DataError::unrecognised(
                folder,
                found,
                "leave one of them in the folder",
            ));
        }
        if (a.height, a.width) != (b.height, b.width) {
            let reason = format!(
                "its images are {}x{} pixels, {}'s {}x{}",
                b.height,
                b.width,
                a.path.display(),
                a.height,
                a.width
            );
            return Err(DataError::damaged(&folder.join(&b.path), reason));
        }
    }
    let Some(&Half { height, width, .. }) = halves.first() else {
        return Err(DataError::unrecognised(
            folder,
            "there is no IDX file in it",
            "name the folder of *-images-idx3-ubyte",
        ));
    };
    let (mut items, mut names, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    for (file, half) in (0u32..).zip(&halves) {
        let size = (height * width) as u64;
        for (row, &label) in (0u64..).zip(&half.labels) {
            items.push(Item {
                label: u32::from(label),
                part: half.part,
                ..Item::default()
            });
            names.push(format!("{}#{row}", shown(half.path.as_os_str())));
            spans.push(Span {
                file,
                at: 16 + row * size,
                length: size,
                inflated: None,
            });
        }
    }
    let most = items.iter().map(|item| item.label).max().unwrap_or(0);
    let digests: Vec<[String; 2]> = halves
        .iter()
        .flat_map(|half| half.digests.clone())
        .collect();
    let spans = Spans {
        files: halves.into_iter().map(|half| half.file).collect(),
        spans,
        content: Content::Grey { height, width },
    };
    let mut listing = Listing {
        items,
        names,
        classes: (0..=most).map(|label| label.to_string()).collect(),
        ..Listing::new(
            folder,
            "IDX files of images and labels",
            Store::Spans(spans),
        )
    };
    introduce(&mut listing, &digests);
    listing.finish(folder)
}

fn read(folder: &Path, image: &Path, options: &OpenOptions) -> Result<Half, DataError> {
    let path = folder.join(image);
    let name = shown(image.as_os_str());
    let labels = labels_beside(folder, &name).ok_or_else(|| {
        let wanted = name.replace("images", "labels").replace("idx3", "idx1");
        DataError::unrecognised(
            &path,
            "its labels are not beside it",
            format!("put {wanted} there"),
        )
    })?;
    let file = SpanFile::open(&path, &options.cache_folder())?;
    let [count, height, width] = header(&file, 3)?;
    let pixels = [count, height, width].map(u128::from);
    let told = 16 + pixels.iter().product::<u128>();
    if height * width == 0 || told != u128::from(file.length()?) {
        let reason = format!(
            "{count} images of {height}x{width} pixels do not make its {} bytes",
            file.length()?
        );
        return Err(DataError::damaged(&path, reason));
    }
    let labels_file = SpanFile::open(&labels, &options.cache_folder())?;
    let [labelled] = header(&labels_file, 1)?;
    if labelled != count || labels_file.length()? != 8 + labelled {
        return Err(DataError::damaged(
            &labels,
            format!("it has {labelled} labels for {count} images"),
        ));
    }
    let mut bytes = Vec::new();
    let read = labels_file.reader()?.read_to_end(&mut bytes);
    read.map_err(DataError::io("reading", &labels))?;
    let lower = name.to_lowercase();
    let part = if lower.contains("train") {
        Some(Part::Train)
    } else {
        (lower.contains("t10k") || lower.contains("test")).then_some(Part::Test)
    };
    Ok(Half {
        path: image.to_path_buf(),
        part,
        height: height as usize,
        width: width as usize,
        digests: [digests(&file)?, digests(&labels_file)?],
        file,
        labels: bytes.split_off(8),
    })
}

/// The labels of the images called `name`, gzipped or not.
fn labels_beside(folder: &Path, name: &str) -> Option<PathBuf> {
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let plain = labels.trim_end_matches(".gz");
    let names = [labels.clone(), plain.to_string(), format!("{plain}.gz")];
    names
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file())
}

/// The lengths of the dimensions, of bytes in `N` dimensions.
fn header<const N: usize>(file: &SpanFile, dimensions: u8) -> Result<[u64; N], DataError> {
    let head = file.head(HEAD)?;
    if head.len() < 4 + 4 * N || head[..4] != [0, 0, 8, dimensions] {
        let wanted = format!("IDX file of bytes in {dimensions} dimensions");
        return Err(mistaken(&file.path, &head, &wanted));
    }
    let number = |i: usize| {
        head[4 + 4 * i..8 + 4 * i]
            .iter()
            .fold(0, |n, &byte| n << 8 | u64::from(byte))
    };
    Ok(std::array::from_fn(number))
}

/// The md5 of a file as it lies there, and unpacked.
fn digests(file: &SpanFile) -> Result<[String; 2], DataError> {
    let read = || {
        Ok([
            digest::md5_of_file(&file.path)?,
            digest::md5_of(file.reader().map_err(io::Error::other)?)?,
        ])
    };
    read().map_err(DataError::io("reading", &file.path))
}

/// Says which of the family it is: by the files' md5, else by the folder's name.
fn introduce(listing: &mut Listing, digests: &[[String; 2]]) {
    let is_published = |known: &Known, [packed, unpacked]: &[String; 2]| {
        let same = |file: &Published| file.md5 == packed || file.unpacked_md5 == Some(unpacked);
        known.files.iter().any(same)
    };
    let published = |known: &Known| digests.iter().all(|digests| is_published(known, digests));
    let named = |word: &str| listing.name.to_lowercase().replace('_', "-") == word;
    let gzipped = digests.iter().all(|[packed, unpacked]| packed != unpacked);
    let (known, verified) = match () {
        () if published(&FASHION_MNIST) => (&FASHION_MNIST, Some(true)),
        () if published(&MNIST) => (&MNIST, Some(true)),
        () if named("fashion-mnist") => (&FASHION_MNIST, Some(false)),
        // of MNIST only the gzipped files have an md5 that was published
        () if named("mnist") => (&MNIST, gzipped.then_some(false)),
        () => return,
    };
    known.introduce(listing);
    listing.verified = verified;
    if known.name == FASHION_MNIST.name && listing.classes.len() == FASHION.len() {
        listing.classes = FASHION.map(String::from).to_vec();
    }
}
