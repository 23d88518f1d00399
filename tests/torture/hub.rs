//! Downloads from the hub, of which everything may fail that a training's files can suffer, and the connection besides.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::hub_server::{Faults, HubServer};
use crate::place::{Fault, Place};
use crate::row::{Row, minutes, points};
use crate::support::text;
use crate::{BAD, Random, SIZES};

const FETCH: &str = "fetch hf:uoft-cs/cifar100";
/// What a download may write to.
const WRITTEN: [&str; 2] = ["hf", "cache"];

/// A hub on the loopback, and what an undisturbed download from it leaves.
struct Download {
    place: Place,
    hub: HubServer,
    said: String,
    left: BTreeMap<PathBuf, Vec<u8>>,
    takes: Duration,
}

impl Download {
    fn new() -> Result<Self> {
        let hub = HubServer::start(
            vec![
                ("data/train-00000-of-00002.parquet", shard(1)?),
                ("data/train-00001-of-00002.parquet", shard(2)?),
            ],
            Faults::default(),
        );
        let mut place = Place::new()?;
        place.hub = Some(hub.endpoint.clone());
        let began = Instant::now();
        let ended = place.run(FETCH)?;
        ensure!(ended.status.success(), "{}", text(&ended));
        let download = Self {
            takes: began.elapsed(),
            said: String::from_utf8_lossy(&ended.stdout).into_owned(),
            left: files(&place.path(WRITTEN[0]))?,
            place,
            hub,
        };
        ensure!(download.left.len() > 3, "{:?}", download.left.keys());
        download.clear()?;
        Ok(download)
    }

    fn clear(&self) -> Result<()> {
        self.place.remove(&WRITTEN)
    }

    /// Downloads again, undisturbed, and compares what that leaves.
    fn go_on_and_compare(&self) -> Result<()> {
        self.hub.suffers(Faults::default());
        let ended = self.place.run(FETCH)?;
        ensure!(ended.status.success(), "it did not go on: {}", text(&ended));
        ensure!(
            String::from_utf8_lossy(&ended.stdout) == self.said,
            "another set: {}",
            text(&ended)
        );
        let left = files(&self.place.path(WRITTEN[0]))?;
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        ensure!(
            left == self.left,
            "other files: {:?}, not {:?}, or with other content",
            names(&left),
            names(&self.left)
        );
        Ok(())
    }
}

/// The files under a folder with their content, and links with where they lead; locks are left out, which stay.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_symlink() {
                let leads = fs::read_link(&path)?.into_os_string().into_encoded_bytes();
                found.insert(path, leads);
            } else if kind.is_file() {
                found.insert(path.clone(), fs::read(&path)?);
            } else if !path.ends_with(".locks") {
                open.push(path);
            }
        }
    }
    Ok(found)
}

/// Eight pictures of noise in two classes, in about 200 kB.
fn shard(seed: u32) -> Result<Vec<u8>> {
    let mut noise = seed;
    let mut picture = || -> Result<ByteArray> {
        let pixel = |_, _| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(noise >> 24) as u8, (noise >> 16) as u8, (noise >> 8) as u8])
        };
        let mut file = std::io::Cursor::new(Vec::new());
        image::RgbImage::from_fn(90, 90, pixel).write_to(&mut file, image::ImageFormat::Png)?;
        Ok(ByteArray::from(file.into_inner()))
    };
    let pictures = (0..8).map(|_| picture()).collect::<Result<Vec<_>>>()?;
    let schema = "message schema { required binary image; required int64 label; }";
    let mut file = Vec::new();
    let schema = Arc::new(parse_message_type(schema)?);
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    while let Some(mut column) = group.next_column()? {
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(images) => {
                images.write_batch(&pictures, None, None)?
            }
            ColumnWriter::Int64ColumnWriter(labels) => {
                labels.write_batch(&[0, 1, 0, 1, 0, 1, 0, 1], None, None)?
            }
            _ => bail!("a column of another type"),
        };
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(file)
}

#[test]
fn a_download_to_which_anything_happens_at_any_operation_is_gone_on_with() -> Result<()> {
    let download = Download::new()?;
    let operations = download.place.count(FETCH)?.operations;
    let mut row = Row::new(format!(
        "`fetch` from the hub: kill, half-way kill, power cut, error at each of its {operations} file operations"
    ));
    for how in BAD {
        for at in points(operations) {
            download.clear()?;
            row.tried(&download.place.faulty(FETCH, &Fault::At(how, at))?);
            row.note(download.go_on_and_compare(), || format!("{how} at {at}"));
        }
    }
    row.print()
}

#[test]
fn a_download_to_a_full_disk_is_gone_on_with_when_there_is_room() -> Result<()> {
    let download = Download::new()?;
    download.clear()?;
    let bytes = download.place.count(FETCH)?.bytes;
    let mut row = Row::new(format!(
        "`fetch`: disk full after so many bytes: {SIZES} sizes up to {bytes}"
    ));
    for i in points(SIZES) {
        download.clear()?;
        let room = (i - 1) * bytes / SIZES;
        row.tried(&download.place.faulty(FETCH, &Fault::Room(room))?);
        row.note(download.go_on_and_compare(), || format!("{room} bytes"));
    }
    row.print()
}

#[test]
fn a_download_that_is_killed_again_and_again_is_gone_on_with() -> Result<()> {
    let download = Download::new()?;
    let mut random = Random(3);
    let mut row = Row::new("`fetch`: `kill -9` at random instants, up to four times".into());
    let runs = if minutes().is_some() { 100 } else { 6 };
    for i in 0..runs {
        download.clear()?;
        for _ in 0..=i % 4 {
            let mut command = download.place.command(FETCH);
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            std::thread::sleep(random.below(download.takes));
            child.kill()?;
            child.wait()?;
            row.count();
        }
        row.note(download.go_on_and_compare(), || format!("run {i}"));
    }
    row.print()
}

#[test]
fn a_download_by_a_bad_connection_is_whole_or_refused() -> Result<()> {
    let download = Download::new()?;
    let mut row = Row::new(
        "`fetch`: answers cut, damaged, busy, of another range or size, a few times or always"
            .into(),
    );
    let mut bad = passing(1);
    if minutes().is_some() {
        bad.extend([2, 3, usize::MAX].into_iter().flat_map(passing));
        bad.extend(lasting());
    }
    for (what, faults) in bad {
        download.clear()?;
        download.hub.suffers(faults);
        row.tried(&download.place.run(FETCH)?);
        row.note(download.go_on_and_compare(), || what.clone());
    }
    row.print()
}

/// What may be over after so many answers.
fn passing(times: usize) -> Vec<(String, Faults)> {
    let faults = [
        (
            "cut",
            Faults {
                cuts: times,
                ..Faults::default()
            },
        ),
        (
            "cut, and whole from the start again",
            Faults {
                cuts: times,
                ignores_ranges: true,
                ..Faults::default()
            },
        ),
        (
            "damaged",
            Faults {
                corruptions: times,
                ..Faults::default()
            },
        ),
        (
            "busy",
            Faults {
                busy: times,
                ..Faults::default()
            },
        ),
        (
            "the hub busy",
            Faults {
                hub_busy: times,
                ..Faults::default()
            },
        ),
    ];
    faults
        .map(|(what, faults)| (format!("{what}, {times} times"), faults))
        .into()
}

/// What goes on as long as it is asked.
fn lasting() -> Vec<(String, Faults)> {
    vec![
        (
            "another range".into(),
            Faults {
                wrong_ranges: true,
                ..Faults::default()
            },
        ),
        (
            "a size too small".into(),
            Faults {
                claims: Some(7),
                ..Faults::default()
            },
        ),
        (
            "a size beyond any disk".into(),
            Faults {
                claims: Some(1 << 60),
                ..Faults::default()
            },
        ),
    ]
}
