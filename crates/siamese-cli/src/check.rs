//! `siamese data check`: is a data set sound?

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use siamese_data::{
    ClassInSplit, Columns, Dataset, Duplicate, ImageSet, LeftOut, Listing, Part, PicturesReport,
    SoundnessReport, Twins, check, check_listing, open,
};
use siamese_report::{Banner, DataReport, Finding, FindingGroup, Thumbnail, Weight};
use siamese_words::{are, counted};

use crate::data::{DataArguments, say_as_published};

/// Findings shown of each kind: it bounds the size of the page.
const SHOWN: usize = 200;
/// Pixels of an image up to which the parts of a set are compared pixel by pixel, in memory.
const MOST_PIXELS: usize = 128 * 128;
/// Longest side of a picture on the page, in pixels.
const PICTURE: u32 = 128;

const LONE: &str = "Classes with one picture: no like pair can be drawn from them";
const EMPTY: &str = "Classes without a picture";

/// `siamese data …`
#[derive(Subcommand)]
pub(crate) enum DataCommand {
    /// Look for what makes figures wrong: leaks, twins, damaged files, classes too small
    Check(Arguments),
}

/// Arguments of `siamese data check`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The data set, as `siamese train` takes it: a folder with a subfolder per class, a table, an archive, a set by
    /// name, hf:user/name
    #[arg(value_name = "DATA")]
    set: Option<OsString>,
    /// The same, for a folder
    #[arg(long, value_name = "PATH", conflicts_with_all = ["place", "source", "set"])]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: DataArguments,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Write a page with the pictures that were found
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(DataCommand::Check(arguments): &DataCommand) -> Result<ExitCode> {
    let options = arguments.data.options(Columns::default());
    let place = arguments.place().context(
        "name what to look through: a folder with a subfolder per class, a table, an archive, a set by name such as \
         fashion-mnist, or hf:user/name",
    )?;
    let listing = open(place, &options)?;
    arguments.data.say(&listing);
    let report = if has_two_parts(&listing) {
        let data = Dataset::load(&listing, &options)?;
        say_as_published(&listing.title, data.as_published);
        let found = check(&data)?;
        show(&found, arguments.json)?;
        let page = arguments.report.as_ref();
        page.map(|_| splits_page(&found, &data)).transpose()?
    } else {
        let found = check_listing(&listing)?;
        show(&found, arguments.json)?;
        let page = arguments.report.as_ref();
        page.map(|_| pictures_page(&found, &listing))
    };
    if let (Some(file), Some(report)) = (&arguments.report, report) {
        report.write(file)?;
        eprintln!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// What is looked through.
    fn place(&self) -> Option<&OsStr> {
        let folder = self.folder.as_ref().map(|folder| folder.as_os_str());
        let told = self.data.path().or(self.set.as_deref());
        folder.or(told.or(self.data.sampled().map(OsStr::new)))
    }
}

/// Whether a set was published in a training and a test part, of images of one size: its pixels are then compared.
fn has_two_parts(listing: &Listing) -> bool {
    let in_part = |part| listing.count(part) > 0;
    let (height, width) = listing.sizes.most_common;
    let small = listing.sizes.alike && height * width <= MOST_PIXELS;
    small && in_part(Part::Train) && in_part(Part::Test)
}

fn show(found: &(impl Serialize + std::fmt::Display), json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(found)?);
    } else {
        println!("{found}");
    }
    Ok(())
}

/// The page of a set with a training and a test split.
fn splits_page(found: &SoundnessReport, data: &Dataset) -> Result<DataReport> {
    let mut groups = twin_groups(found, data)?;
    let small = |title: &str, classes: &[ClassInSplit]| {
        let name = |class: &ClassInSplit| named(format!("{} · {}", class.split, class.class));
        group(title, "", classes.iter().collect(), name)
    };
    groups.push(small(LONE, &found.lone_classes));
    groups.push(small(EMPTY, &found.empty_classes));
    let banners = data.is_sample().then(Banner::bundled_sample);
    Ok(DataReport {
        name: format!("{}, checked", data.name),
        data: data.origin.to_string(),
        verdict: match found.exact_leaks.len() + found.near_leaks.len() {
            0 => verdict(found.is_sound()),
            leaks => format!(
                "{leaks} of {} {} in the training split, or much like an image there.",
                counted(data.test.len(), "test image"),
                are(leaks)
            ),
        },
        banners: banners.into_iter().collect(),
        counts: owned(found.counts()),
        groups,
    })
}

fn twin_groups(found: &SoundnessReport, data: &Dataset) -> Result<Vec<FindingGroup>> {
    let (train, test) = (("train", &data.train), ("test", &data.test));
    let leak = "A model may have learnt these test images by heart: figures on them flatter it.";
    let kinds = [
        (
            "The same image in both splits",
            leak,
            &found.exact_leaks,
            [train, test],
        ),
        (
            "Much alike in both splits",
            leak,
            &found.near_leaks,
            [train, test],
        ),
        (
            "Twice in the training split",
            "",
            &found.exact_train,
            [train, train],
        ),
        (
            "Twice in the test split",
            "",
            &found.exact_test,
            [test, test],
        ),
    ];
    let group = |(title, note, twins, splits): (&str, &str, &Vec<Duplicate>, [Split; 2])| {
        let shown = twins
            .iter()
            .take(SHOWN)
            .map(|twins| duplicate(twins, splits));
        Ok(FindingGroup {
            title: title.into(),
            note: note.into(),
            total: twins.len(),
            weight: Weight::Matters,
            findings: shown.collect::<Result<_>>()?,
        })
    };
    kinds.into_iter().map(group).collect()
}

/// A split's name and its images.
type Split<'a> = (&'a str, &'a ImageSet);

fn duplicate(twins: &Duplicate, splits: [Split; 2]) -> Result<Finding> {
    let picture = |index: u32, (split, images): Split| -> Result<(Thumbnail, String)> {
        let class = &images.classes[images.labels[index as usize] as usize];
        let (width, height) = (images.width as u32, images.height as u32);
        let pixels = images.image(index as usize)?.into_owned();
        let thumbnail = Thumbnail::new(width, height, images.channels as u32, pixels)?;
        Ok((
            thumbnail.shrunk(PICTURE),
            format!("{split} {index} · {class}"),
        ))
    };
    Ok(Finding {
        pictures: vec![
            picture(twins.first, splits[0])?,
            picture(twins.second, splits[1])?,
        ],
        note: how_alike(twins.correlation, twins.same_class),
    })
}

fn how_alike(correlation: f64, same_class: bool) -> String {
    let class = if same_class { "" } else { " · other class" };
    if correlation == 1.0 {
        format!("the same{class}")
    } else {
        format!("correlation {correlation:.3}{class}")
    }
}

/// The page of a listed set of pictures.
fn pictures_page(found: &PicturesReport, listing: &Listing) -> DataReport {
    let (height, width) = found.size;
    DataReport {
        name: format!("{}, checked", listing.title),
        data: format!(
            "{}, {}: {}, most of {width}×{height} pixels",
            listing.kind,
            listing.origin,
            counted(found.images, "picture")
        ),
        verdict: verdict(found.is_sound()),
        banners: Vec::new(),
        counts: owned(found.counts()),
        groups: pictures_groups(found, &Pictures::of(listing)),
    }
}

/// The pictures of a listing by their names.
struct Pictures<'a> {
    listing: &'a Listing,
    items: HashMap<&'a str, usize>,
}

impl<'a> Pictures<'a> {
    fn of(listing: &'a Listing) -> Self {
        let items = (0..listing.items.len()).map(|item| (listing.name_of(item), item));
        Self {
            listing,
            items: items.collect(),
        }
    }

    /// The picture called `name`, or a question mark where it cannot be read by now.
    fn picture(&self, name: &str) -> (Thumbnail, String) {
        let thumbnail = || -> Option<Thumbnail> {
            let item = *self.items.get(name)?;
            let (pixels, (height, width)) = self.listing.thumbnail(item, PICTURE as usize).ok()?;
            Thumbnail::new(width as u32, height as u32, 3, pixels).ok()
        };
        (thumbnail().unwrap_or_default(), name.into())
    }
}

fn pictures_groups(found: &PicturesReport, pictures: &Pictures) -> Vec<FindingGroup> {
    let twins = |title: &str, note: &str, all: &[Twins], same_class: bool| {
        let own = all.iter().filter(|twins| twins.same_class == same_class);
        group(title, note, own.collect(), |twins| Finding {
            pictures: vec![
                pictures.picture(&twins.first),
                pictures.picture(&twins.second),
            ],
            note: how_alike(twins.correlation, same_class),
        })
    };
    let files = |title: &str, note: &str, all: &[LeftOut]| {
        group(title, note, all.iter().collect(), |left| {
            named(format!("{}: {}", left.what, left.why))
        })
    };
    let classes = |title: &str, all: &[String]| {
        group(title, "", all.iter().collect(), |class| {
            named(class.clone())
        })
    };
    let label = "One of the two labels must be wrong.";
    let split = "Split by chance, one may be trained on and the other judged.";
    let lost = "Nothing is trained or judged on them: save them as PNG or JPEG, or remove them.";
    vec![
        files("Cannot be read, or are cut", "", &found.unreadable),
        files("Left out", lost, &found.left_out),
        twins(
            "The same picture in two classes",
            label,
            &found.exact,
            false,
        ),
        twins("Much alike in two classes", "", &found.near, false),
        twins(
            "The same picture twice in a class",
            split,
            &found.exact,
            true,
        ),
        twins("Much alike in a class", split, &found.near, true),
        classes(LONE, &found.lone_classes),
        classes(EMPTY, &found.empty_classes),
        odd_sizes(found),
    ]
}

/// The sizes that differ from most, each with how many pictures have it: a line, for they harm nothing.
fn odd_sizes(found: &PicturesReport) -> FindingGroup {
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for odd in &found.odd_sizes {
        *sizes.entry((odd.height, odd.width)).or_default() += 1;
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|&(size, count)| (Reverse(count), size));
    let line = |&((height, width), count): &((usize, usize), usize)| {
        named(format!("{width}×{height} · {}", counted(count, "picture")))
    };
    FindingGroup {
        title: "Pictures of another size than most".into(),
        note: "They are brought to one size, which harms nothing unless their shapes differ much."
            .into(),
        weight: Weight::Minor,
        total: found.odd_sizes.len(),
        findings: sizes.iter().take(SHOWN).map(line).collect(),
    }
}

/// A finding that is no picture.
fn named(name: String) -> Finding {
    Finding {
        pictures: Vec::new(),
        note: name,
    }
}

fn group<T>(title: &str, note: &str, all: Vec<&T>, show: impl Fn(&T) -> Finding) -> FindingGroup {
    FindingGroup {
        title: title.into(),
        note: note.into(),
        total: all.len(),
        weight: Weight::Matters,
        findings: all.into_iter().take(SHOWN).map(show).collect(),
    }
}

fn owned(counts: Vec<(&str, usize)>) -> Vec<(String, usize)> {
    let counts = counts.into_iter();
    counts.map(|(what, count)| (what.into(), count)).collect()
}

fn verdict(sound: bool) -> String {
    if sound {
        "Nothing was found that makes training or figures wrong.".into()
    } else {
        "Look at what was found before you trust figures.".into()
    }
}
