//! Files as people have them, each given to the binary: what it must say, and must not.
//!
//! A line of a table is an input: how it is written, what is run on it, how that ends and which words are said.
//! For a new one add a line to the table of its theme. Whatever is given, nothing panics or takes long.
//!
//! `SIAMESE_CORPUS=DIR cargo test -p siamese-cli --test corpus` keeps the inputs in DIR/THEME/NAME, and what was said
//! of each in DIR/THEME/NAME.txt; DIR is new, and relative to the workspace.

mod archives;
mod declared;
mod entry;
mod folders;
mod formats;
mod hostile;
mod jpegs;
mod judged;
mod made;
mod models;
mod names;
mod npy;
mod npz;
mod npz_refused;
mod packed;
mod pairs;
mod parquets;
mod records;
mod stand_ins;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod transparent;

use anyhow::Result;
use entry::{Entry, play};

/// A theme, and what its table holds.
type Theme = (&'static str, fn() -> Vec<Entry>);

const THEMES: [Theme; 17] = [
    ("formats", formats::entries),
    ("transparent", transparent::entries),
    ("declared", declared::entries),
    ("jpegs", jpegs::entries),
    ("folders", folders::entries),
    ("names", names::entries),
    ("stand-ins", stand_ins::entries),
    ("tables", tables::entries),
    ("pairs", pairs::entries),
    ("archives", archives::entries),
    ("parquet", parquets::entries),
    ("records", records::entries),
    ("models", models::entries),
    ("judged", judged::entries),
    ("npz", npz::entries),
    ("npz refused", npz_refused::entries),
    ("hostile", hostile::entries),
];

#[test]
fn every_input_is_read_or_refused_in_words_that_help() -> Result<()> {
    let entries = THEMES.iter().flat_map(|(theme, entries)| {
        let entries = entries().into_iter();
        entries.map(|entry| (*theme, entry))
    });
    play(entries.collect())
}
