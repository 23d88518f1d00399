//! Many rows added, exported, imported into another store, and the same answers from both.
//!
//! `cargo run --release -p siamese-gallery --features postgres --example exchange -- PLACE OTHER ROWS [PROBES]`

mod support;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use siamese_gallery::{About, Filter, Gallery};

use support::{embedding, filled};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing"))
    };
    let (place, other, rows) = (next("PLACE")?, next("OTHER")?, next("ROWS")?.parse()?);
    let probes: usize = next("PROBES").map_or(Ok(200), |text| text.parse())?;

    let mut gallery = timed("added", rows, || filled(&place, rows))?;
    let file = std::env::temp_dir().join(format!("exchange-{}.jsonl", std::process::id()));
    let exported = timed("exported", rows, || Ok(gallery.export(&file)?))?;
    let imported = timed("imported", rows, || import(&other, &file))?;
    std::fs::remove_file(&file)?;
    ensure!(
        exported.entries == rows && imported == rows,
        "{exported:?}, {imported} imported"
    );

    let mut copy = Gallery::open(&other)?;
    println!("{} and {} bytes", gallery.size()?, copy.size()?);
    let all: Vec<_> = (0..probes as u64)
        .map(|i| embedding(u64::MAX - i))
        .collect();
    let filter = Filter::default();
    timed("first search of the one", 1, || {
        Ok(gallery.search(&embedding(7), 10, &filter)?)
    })?;
    timed("first search of the other", 1, || {
        Ok(copy.search(&embedding(7), 10, &filter)?)
    })?;
    let ours = timed("searched", probes, || {
        Ok(gallery.search_all(&all, 10, &filter)?)
    })?;
    let theirs = timed("searched", probes, || {
        Ok(copy.search_all(&all, 10, &filter)?)
    })?;
    for (one, two) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        let same = (&one.class, &one.name, one.distance) == (&two.class, &two.name, two.distance);
        ensure!(same, "{one:?} and {two:?}");
    }
    println!(
        "the same {} answers from both",
        ours.iter().map(Vec::len).sum::<usize>()
    );
    Ok(())
}

fn import(place: &str, file: &Path) -> Result<usize> {
    let mut gallery = Gallery::create_as(place, About::of_export(file)?)?;
    Ok(gallery.import(file, |_| {})?.entries)
}

fn timed<T>(what: &str, count: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let done = work()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {count} in {seconds:.2} s, {:.0} a second",
        count as f64 / seconds
    );
    Ok(done)
}
