//! Damaged inputs to every parser: bounded, the same each time. `cargo run -p siamese-cli --example fuzz` goes on for long.

#![allow(clippy::unwrap_used)]

mod drive;
mod largest;
mod mutate;
mod parsers;
mod runs;
mod seeds;

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Result;

use drive::{Driver, Watch};

/// Mutations of each parser's seeds.
const INPUTS: u64 = 60;

/// Memory is counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/bad"))
}

#[test]
fn damaged_inputs_are_read_or_refused_in_little_time_and_memory() -> Result<()> {
    let _alone = ALONE.lock().unwrap();
    let kept = tempfile::tempdir()?;
    let watch = Watch::start();
    let mut bad = Vec::new();
    for parser in parsers::all() {
        let mut driver = Driver::new(&parser, &watch, kept.path())?;
        driver.seeds_are_read()?;
        (0..INPUTS).for_each(|number| driver.mutate(1, number));
        assert!(
            driver.tally.refused > 0,
            "{}: nothing was damaged",
            driver.name()
        );
        bad.extend(driver.tally.bad);
    }
    assert!(bad.is_empty(), "{bad:#?}");
    Ok(())
}

/// `tests/fuzz/bad/PARSER/` holds each input that a parser was ever hurt by.
#[test]
fn what_was_ever_bad_stays_mended() -> Result<()> {
    let _alone = ALONE.lock().unwrap();
    let kept = tempfile::tempdir()?;
    let watch = Watch::start();
    let parsers = parsers::all();
    let (mut tried, mut bad) = (0, Vec::new());
    for folder in fs::read_dir(here())? {
        let folder = folder?;
        let name = folder.file_name().into_string().unwrap().replace('_', " ");
        let parser = parsers.iter().find(|parser| parser.name == name);
        let parser = parser.unwrap_or_else(|| panic!("there is no parser {name:?}"));
        let mut driver = Driver::new(parser, &watch, kept.path())?;
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            driver.give(&fs::read(file.path())?, &file.file_name().to_string_lossy());
            tried += 1;
        }
        bad.extend(driver.tally.bad);
    }
    assert!(tried > 0 && bad.is_empty(), "{tried} tried: {bad:#?}");
    Ok(())
}

#[test]
fn the_largest_pictures_take_no_more_memory_than_their_limit_says() -> Result<()> {
    let _alone = ALONE.lock().unwrap();
    let more = largest::what_takes_more()?;
    assert!(more.is_empty(), "{more:#?}");
    Ok(())
}
