//! `siamese data check`: is a data set sound?

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use siamese_data::{
    ClassInSplit, Dataset, Duplicate, FileProblem, FolderReport, ImageSet, SoundnessReport, Twins,
    check, check_folder, read_thumbnail,
};
use siamese_report::{Banner, DataReport, Finding, FindingGroup, Thumbnail, Weight};

use crate::data::{DataArguments, SetName};

/// Findings shown of each kind: it bounds the size of the page.
const SHOWN: usize = 200;
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
    /// The data set
    #[arg(value_enum, default_value = "cifar100")]
    set: SetName,
    /// Look through this folder of pictures instead, one subfolder per class
    #[arg(long, value_name = "DIR", conflicts_with_all = ["place", "source"])]
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
    let report = match &arguments.folder {
        Some(folder) => {
            let found = check_folder(folder)?;
            show(&found, arguments.json)?;
            arguments
                .report
                .as_ref()
                .map(|_| folder_page(&found, folder))
        }
        None => {
            let data = arguments.data.load(arguments.set)?;
            let found = check(&data)?;
            show(&found, arguments.json)?;
            let page = arguments.report.as_ref();
            page.map(|_| splits_page(&found, &data)).transpose()?
        }
    };
    if let (Some(file), Some(report)) = (&arguments.report, report) {
        report.write(file)?;
        eprintln!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
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
    let banners = data.provenance.is_sample().then(Banner::bundled_sample);
    Ok(DataReport {
        name: format!("{}, checked", data.provenance.name),
        data: data.provenance.origin.to_string(),
        verdict: match found.exact_leaks.len() + found.near_leaks.len() {
            0 => verdict(found.is_sound()),
            leaks => format!(
                "{leaks} of {} test images are in the training split, or look much like an image there.",
                data.test.len()
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

/// The page of a folder of pictures.
fn folder_page(found: &FolderReport, folder: &Path) -> DataReport {
    let (height, width) = found.size;
    DataReport {
        name: format!("{}, checked", folder.display()),
        data: format!(
            "{} pictures of {} classes, most of {width}×{height} pixels",
            found.images, found.classes
        ),
        verdict: verdict(found.is_sound()),
        banners: Vec::new(),
        counts: owned(found.counts()),
        groups: folder_groups(found, folder),
    }
}

fn folder_groups(found: &FolderReport, folder: &Path) -> Vec<FindingGroup> {
    let twins = |title: &str, note: &str, all: &[Twins], same_class: bool| {
        let own = all.iter().filter(|twins| twins.same_class == same_class);
        group(title, note, own.collect(), |twins| Finding {
            pictures: vec![
                picture(&twins.first, folder),
                picture(&twins.second, folder),
            ],
            note: how_alike(twins.correlation, same_class),
        })
    };
    let label = "One of the two labels must be wrong.";
    let split = "Split by chance, one may be trained on and the other judged.";
    vec![
        group(
            "Cannot be read, or are cut",
            "",
            found.unreadable.iter().collect(),
            |problem| named(unreadable(problem, folder)),
        ),
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
        group(LONE, "", found.lone_classes.iter().collect(), |class| {
            named(class.clone())
        }),
        group(EMPTY, "", found.empty_classes.iter().collect(), |class| {
            named(class.clone())
        }),
        odd_sizes(found),
    ]
}

fn unreadable(problem: &FileProblem, folder: &Path) -> String {
    match problem {
        FileProblem::Unreadable { file, reason } => {
            let (whole, within) = (file.display().to_string(), name(file, folder));
            match reason.contains(&whole) {
                true => reason.replace(&whole, &within),
                false => format!("{within}: {reason}"),
            }
        }
        FileProblem::OddSize { file, .. } => name(file, folder),
    }
}

/// The sizes that differ from most, each with how many pictures have it: a line, for they harm nothing.
fn odd_sizes(found: &FolderReport) -> FindingGroup {
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for problem in &found.odd_sizes {
        if let FileProblem::OddSize { height, width, .. } = problem {
            *sizes.entry((*height, *width)).or_default() += 1;
        }
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|&(size, count)| (Reverse(count), size));
    let line = |&((height, width), count): &((usize, usize), usize)| match count {
        1 => named(format!("{width}×{height} · 1 picture")),
        count => named(format!("{width}×{height} · {count} pictures")),
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

/// The picture in `file`, or a question mark where it is gone by now.
fn picture(file: &Path, folder: &Path) -> (Thumbnail, String) {
    let thumbnail = || -> Result<Thumbnail> {
        let (pixels, (height, width)) = read_thumbnail(file, PICTURE as usize)?;
        Ok(Thumbnail::new(width as u32, height as u32, 3, pixels)?)
    };
    (thumbnail().unwrap_or_default(), name(file, folder))
}

fn name(file: &Path, folder: &Path) -> String {
    let within = file.strip_prefix(folder).unwrap_or(file);
    within.display().to_string()
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
