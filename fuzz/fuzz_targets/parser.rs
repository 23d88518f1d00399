//! One parser under libFuzzer: `SIAMESE_PARSER="lists of pairs" cargo +nightly fuzz run parser`.
//!
//! The parsers and what they read are those of the bounded test. `cargo run -p siamese-cli --example fuzz -- --seeds FOLDER`
//! writes a seed corpus for each.

#![no_main]

#[path = "../../tests/fuzz/parsers.rs"]
mod parsers;
#[path = "../../tests/fuzz/runs.rs"]
mod runs;
#[path = "../../tests/fuzz/seeds.rs"]
mod seeds;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// The parser, and the folder in which it finds what it needs.
static PARSER: LazyLock<(parsers::Parser, tempfile::TempDir)> = LazyLock::new(|| {
    let name = std::env::var("SIAMESE_PARSER").unwrap_or_default();
    let names: Vec<&str> = parsers::all().iter().map(|parser| parser.name).collect();
    let parser = parsers::all().into_iter().find(|parser| parser.name == name);
    let parser = parser.unwrap_or_else(|| panic!("set SIAMESE_PARSER to one of {names:?}"));
    let folder = tempfile::tempdir().expect("a folder");
    (parser.prepare)(folder.path()).expect("what the parser needs");
    (parser, folder)
});

fuzz_target!(|bytes: &[u8]| {
    let (parser, folder) = &*PARSER;
    // read or refused is alike; a panic, a sanitizer or the memory limit speaks
    let _ = (parser.run)(folder.path(), &(parser.wrap)(bytes.to_vec()));
});
