//! `kill -9` in the middle of adds: every acknowledged add is there, and none is half there.
//!
//! The writer is this very binary, called again. `SIAMESE_KILLS=200` kills more often than the suite does.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

mod places;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use places::{Place, about, all, entry, places};
use siamese_gallery::Gallery;

/// Tells the called binary where to write, and from which number on.
const WRITER: &str = "SIAMESE_TEST_WRITER";
const KILLS: &str = "SIAMESE_KILLS";
/// Entries of a transaction.
const TOGETHER: usize = 3;

/// Adds without end, and prints the numbers of what was acknowledged. No test of its own: it is called by the other.
#[test]
fn writer() {
    let Ok(told) = std::env::var(WRITER) else {
        return;
    };
    let (first, place) = told.split_once(' ').unwrap();
    let mut gallery = Gallery::open(place).unwrap();
    let mut number: usize = first.parse().unwrap();
    loop {
        let entries: Vec<_> = (number..number + TOGETHER).map(|n| entry(n, "x")).collect();
        gallery.add_entries(&entries).unwrap();
        number += TOGETHER;
        println!("acknowledged {number}");
        std::io::stdout().flush().unwrap();
    }
}

/// Lets the writer add from `first` on and kills it after a while; up to which number it was acknowledged.
fn killed(place: &str, first: usize, after: Duration) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--nocapture", "--test-threads", "1"])
        .env(WRITER, format!("{first} {place}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let numbers = output.lines().map_while(Result::ok).filter_map(|line| {
            let (_, number) = line.split_once("acknowledged ")?;
            number.parse().ok()
        });
        numbers.max().unwrap_or(first)
    });
    std::thread::sleep(after);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn every_acknowledged_add_survives_a_kill_and_none_is_half_there() {
    let kills = std::env::var(KILLS).map_or(5, |kills| kills.parse().unwrap());
    for Place { place, .. } in &places() {
        let mut gallery = Gallery::create_as(place, about("a")).unwrap();
        let mut state = 88_172_645_463_325_252u64;
        let (mut count, mut acknowledged_at_all) = (0, 0);
        for _ in 0..kills {
            // xorshift: instants that no two runs of the writer have in common
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let acknowledged = killed(
                place,
                count,
                Duration::from_micros(40_000 + state % 160_000),
            );
            let entries = all(&mut gallery);
            assert!(
                entries.len() >= acknowledged,
                "{} of {acknowledged}",
                entries.len()
            );
            assert_eq!(
                entries.len() % TOGETHER,
                0,
                "a transaction is whole or not there"
            );
            for (number, found) in entries.iter().enumerate() {
                assert_eq!(found, &entry(number, "x"));
            }
            acknowledged_at_all += acknowledged - count;
            count = entries.len();
        }
        assert_eq!(gallery.check().unwrap(), Vec::<String>::new());
        println!("{kills} kills, {acknowledged_at_all} acknowledged adds, {count} entries");
        assert!(
            acknowledged_at_all > 0 || kills < 5,
            "the writer was killed before it wrote"
        );
    }
}
