//! The stores that this machine has, and entries to fill them.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use siamese_core::metrics::Distance;
use siamese_gallery::{About, Entry, Filter, Gallery, ModelAbout, Row};

/// A place for a gallery, another beside it, and a folder that goes with them.
pub(crate) struct Place {
    pub(crate) place: String,
    pub(crate) other: String,
    pub(crate) folder: tempfile::TempDir,
}

/// A place in every store that this machine has.
pub(crate) fn places() -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let [place, other] =
        ["gallery", "other"].map(|name| folder.path().join(name).display().to_string());
    let mut places = vec![Place {
        place,
        other,
        folder,
    }];
    places.extend(in_postgres());
    places
}

/// The database that tests may make galleries in: `postgres://user@host:port/database`.
const DATABASE: &str = "SIAMESE_TEST_POSTGRES";

fn in_postgres() -> Option<Place> {
    let url = match std::env::var(DATABASE) {
        Ok(_) if cfg!(not(feature = "postgres")) => {
            println!("without PostgreSQL: this build has no feature postgres");
            return None;
        }
        Ok(url) => url,
        Err(_) => {
            println!(
                "without PostgreSQL: {DATABASE} names no database, such as postgres://me@127.0.0.1/test"
            );
            return None;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    // a name that no other test has
    let name = folder.path().file_name().unwrap().to_string_lossy();
    let [place, other] = ["", "other"].map(|more| format!("{url}/{name}{more}"));
    Some(Place {
        place,
        other,
        folder,
    })
}

pub(crate) fn about(fingerprint: &str) -> About {
    About {
        format: 1,
        model: ModelAbout {
            place: format!("runs/{fingerprint}"),
            fingerprint: fingerprint.into(),
            dim: 3,
            distance: Distance::Euclidean,
            head: None,
            whole: None,
            threshold: Some(0.5),
            calibration: None,
            unlike: None,
        },
        version: "test".into(),
    }
}

pub(crate) fn entry(number: usize, class: &str) -> Entry {
    let x = number as f32;
    Entry {
        class: class.into(),
        name: format!("{number}.png"),
        source: Some(format!("/nowhere/{number}.png")),
        hash: Some(format!("hash {number}")),
        time: 1_700_000_000 + number as i64,
        data: serde_json::json!({"year": 2000 + number % 3}),
        thumbnail: Some(vec![number as u8; 5]),
        embedding: vec![x, (x * 0.37).sin(), (x * 0.11).cos()],
    }
}

/// A gallery of so many entries of four classes.
pub(crate) fn filled(place: &str, count: usize) -> Gallery {
    let mut gallery = Gallery::create_as(place, about("a")).unwrap();
    let class = |number| format!("class {}", number % 4);
    let entries: Vec<Entry> = (0..count).map(|n| entry(n, &class(n))).collect();
    gallery.add_entries(&entries).unwrap();
    gallery
}

pub(crate) fn all(gallery: &mut Gallery) -> Vec<Entry> {
    let mut entries = Vec::new();
    let see = |row: Row| {
        entries.push(row.entry);
        Ok(())
    };
    gallery.entries(&Filter::default(), see).unwrap();
    entries
}
