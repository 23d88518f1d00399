//! `siamese data faces`: photos in, faces out, each a picture of its own in its class folder.

mod table;

use std::collections::HashSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use rayon::prelude::*;
use siamese_core::{FaceAlign, FaceCrop};
use siamese_data::{Colour, Picture, Pictures, Progress};
use siamese_embed::{FaceFinder, mark_faces};
use siamese_faces::{Face, Rgb};

use crate::pictures::PictureArguments;
use table::{Row, TABLE};

/// Pictures between two looks at how far it is.
const BATCH: usize = 16;

/// Arguments of `siamese data faces`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pictures: PictureArguments,
    /// The folder for the faces, a subfolder per class, and for faces.csv; it must be new or empty
    #[arg(long, short = 'o', value_name = "FOLDER")]
    out: PathBuf,
    /// Side of the crops, in pixels
    #[arg(long, default_value_t = 112, value_parser = clap::value_parser!(u16).range(8..=4096))]
    size: u16,
    /// What is seen around a face, as a part of its side
    #[arg(long, default_value_t = 0.0)]
    margin: f64,
    /// How a face is cut out
    #[arg(long, value_enum, default_value = "landmarks")]
    align: Align,
    /// Write grey crops
    #[arg(long)]
    grey: bool,
    /// Of several faces in a photo
    #[arg(long, value_enum, default_value = "largest")]
    several: Several,
    /// Whether faces that are small, uncertain or seen from the side are written
    #[arg(long, value_enum, default_value = "keep")]
    doubtful: Doubtful,
    /// The smallest face that is looked for, in pixels
    #[arg(long, default_value_t = 20.0)]
    min_face: f32,
    /// Where a photo shows no face, try it turned by quarters
    #[arg(long)]
    turn: bool,
}

/// How a face is cut out.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Align {
    /// Turned and scaled, so that eyes and mouth lie in the same places
    Landmarks,
    /// The square around the face, as it lies
    Box,
}

/// What happens to a photo with several faces.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Several {
    /// The largest is written
    Largest,
    /// Each is written
    All,
    /// None is written
    Refuse,
}

/// What happens to a face that may be of little use.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Doubtful {
    Keep,
    Skip,
}

/// A face's crop of fewer picture pixels than half its side is small.
const SMALL: f32 = 0.5;
/// Below this probability a face is uncertain.
const UNCERTAIN: f32 = 0.9;
/// Beyond this it is seen from the side ([`Face::aside`]).
const ASIDE: f32 = 0.4;

/// What one picture gave.
struct Found {
    faces: Vec<(Face, Option<Picture>)>,
    quarters: u8,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let finder = FaceFinder::new(arguments.crop())?;
    let pictures = arguments.pictures.open()?;
    ensure!(!pictures.is_empty(), "there is no picture to look at");
    claim(&arguments.out)?;
    let rows = all(arguments, &finder, &pictures)?;
    table::write(&rows, &arguments.out)?;
    mark_faces(&arguments.out, finder.crop())?;
    table::say(&rows, pictures.len(), &arguments.out);
    let none = rows.iter().all(|row| row.written.is_empty());
    ensure!(
        !none,
        "not one face was written; {} says why",
        arguments.out.join(TABLE).display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder; what lies there already is not mixed with new faces.
fn claim(out: &Path) -> Result<()> {
    if out.is_dir() && fs::read_dir(out)?.next().is_some() {
        bail!(
            "{} is not empty: name a new folder, or remove it",
            out.display()
        );
    }
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))
}

/// Looks at all pictures, in parallel, and writes their faces in order.
fn all(arguments: &Arguments, finder: &FaceFinder, pictures: &Pictures) -> Result<Vec<Row>> {
    let mut meter = Progress::Stderr.images("looking for faces", pictures.len() as u64);
    let (mut rows, mut names) = (Vec::new(), HashSet::new());
    let items: Vec<usize> = (0..pictures.len()).collect();
    for batch in items.chunks(BATCH) {
        let look = |&item: &usize| look(arguments, finder, pictures, item);
        let found: Vec<Result<Found>> = batch.par_iter().map(look).collect();
        for (&item, found) in batch.iter().zip(found) {
            write(arguments, pictures, item, found, &mut names, &mut rows)?;
        }
        meter.set(batch.last().map_or(0, |&last| last as u64 + 1));
    }
    meter.finish();
    Ok(rows)
}

/// The faces of a picture, those that are to be written cut out.
fn look(
    arguments: &Arguments,
    finder: &FaceFinder,
    pictures: &Pictures,
    item: usize,
) -> Result<Found> {
    let (pixels, (height, width)) = pictures.whole(item).map_err(anyhow::Error::msg)?;
    let picture = Rgb::new(height, width, &pixels)?;
    let (faces, quarters) = finder.find(&picture)?;
    let several = faces.len() > 1;
    let cut = |(i, face): (usize, Face)| {
        let wanted = match arguments.several {
            Several::All => true,
            Several::Largest => i == 0,
            Several::Refuse => !several,
        };
        let doubtful = !remarks(arguments, &face).is_empty();
        let wanted = wanted && (arguments.doubtful == Doubtful::Keep || !doubtful);
        let crop = wanted.then(|| finder.cut_out(&picture, &face));
        (face, crop)
    };
    Ok(Found {
        faces: faces.into_iter().enumerate().map(cut).collect(),
        quarters,
    })
}

impl Arguments {
    fn crop(&self) -> FaceCrop {
        FaceCrop {
            side: self.size.into(),
            margin: self.margin,
            align: match self.align {
                Align::Landmarks => FaceAlign::Landmarks,
                Align::Box => FaceAlign::Box,
            },
            grey: self.grey,
            min_face: self.min_face,
            turn: self.turn,
        }
    }
}

/// Why a face may be of little use.
fn remarks(arguments: &Arguments, face: &Face) -> Vec<&'static str> {
    let side = f32::from(arguments.size);
    let smaller = face.bounds.width().min(face.bounds.height());
    let all = [
        (smaller < side * SMALL, "small"),
        (face.probability < UNCERTAIN, "uncertain"),
        (face.aside().abs() > ASIDE, "from the side"),
    ];
    all.into_iter()
        .filter(|(so, _)| *so)
        .map(|(_, remark)| remark)
        .collect()
}

/// Writes the faces of a picture, and its lines of the table.
fn write(
    arguments: &Arguments,
    pictures: &Pictures,
    item: usize,
    found: Result<Found>,
    names: &mut HashSet<PathBuf>,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let picture = &pictures.items[item].name;
    let class = pictures.class_of(item).unwrap_or_default();
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            eprintln!("warning: {picture}: {why:#}");
            rows.push(Row::without_face(picture, class, "unreadable"));
            return Ok(());
        }
    };
    if found.faces.is_empty() {
        rows.push(Row::without_face(picture, class, "no face"));
        return Ok(());
    }
    let count = found.faces.len();
    for (i, (face, crop)) in found.faces.into_iter().enumerate() {
        let result = match (&crop, arguments.several) {
            (Some(_), _) => "written",
            (None, Several::Refuse) if count > 1 => "several faces",
            (None, Several::Largest) if i > 0 => "not the largest",
            _ => "doubtful",
        };
        let mut row = Row {
            face: (i + 1, count),
            remarks: remarks(arguments, &face).join("; "),
            found: Some((face, found.quarters)),
            ..Row::without_face(picture, class, result)
        };
        if let Some(crop) = crop {
            let name = name_of(
                picture,
                class,
                (i, arguments.several == Several::All && count > 1),
                names,
            );
            save(&arguments.out.join(&name), &crop, arguments.grey)?;
            row.written = name.display().to_string();
        }
        rows.push(row);
    }
    Ok(())
}

/// `class/stem.png`; where another picture has that, `class/stem.jpg.png`, and then numbers.
fn name_of(
    picture: &str,
    class: &str,
    (face, of_several): (usize, bool),
    names: &mut HashSet<PathBuf>,
) -> PathBuf {
    let folder: String = class
        .chars()
        .map(|c| {
            if matches!(c, '/' | '\\') || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    let folder = match folder.as_str() {
        "." | ".." => "_".to_string(),
        _ => folder,
    };
    let file = picture.rsplit(['/', '\\']).next().unwrap_or(picture);
    let stem = Path::new(file)
        .file_stem()
        .map_or(file.into(), |stem| stem.to_string_lossy());
    let number = if of_several {
        format!("-{}", face + 1)
    } else {
        String::new()
    };
    let plain = [format!("{stem}{number}"), format!("{file}{number}")];
    let numbered = (2..).map(|n| format!("{file}{number} ({n})"));
    let path = |name: String| Path::new(&folder).join(format!("{name}.png"));
    let mut paths = plain.into_iter().chain(numbered).map(path);
    let free = paths.find(|path| names.insert(path.clone()));
    free.expect("there is always another number")
}

fn save(path: &Path, crop: &Picture, grey: bool) -> Result<()> {
    let (height, width) = (crop.height() as u32, crop.width() as u32);
    let image: Option<DynamicImage> = match grey {
        true => GrayImage::from_raw(width, height, crop.pixels(Colour::Grey)).map(Into::into),
        false => RgbImage::from_raw(width, height, crop.pixels(Colour::Rgb)).map(Into::into),
    };
    let image = image.context("a crop has another size than asked for")?;
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png)?;
    let written = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        siamese_files::write_bytes(path, bytes.get_ref())
    };
    written().with_context(|| format!("writing {}", path.display()))
}
