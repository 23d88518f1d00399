//! Searches on request: `search_rate ROWS PROBES DIM K`, two files of raw `f32`s; `benches/search_peers.py` asks.
//!
//! Prints `ready SECONDS` when the rows are prepared, then for each line `FIRST COUNT` on standard input the seconds
//! that it took to search COUNT probes from FIRST on, and with `?` in place of COUNT the rows found of one.

use std::io::{BufRead, stdin};
use std::time::Instant;

use siamese_metrics::Distance;
use siamese_metrics::retrieval::Index;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [rows, probes, dim, k] = &words[..] else {
        return Err("search_rate ROWS PROBES DIM K".into());
    };
    let (dim, k): (usize, usize) = (dim.parse()?, k.parse()?);
    let (rows, probes) = (floats(rows)?, floats(probes)?);
    let start = Instant::now();
    let index = Index::new(rows, dim, Distance::SquaredEuclidean)?;
    println!("ready {}", start.elapsed().as_secs_f64());
    for line in stdin().lock().lines() {
        let line = line?;
        let (first, count) = line.split_once(' ').ok_or("FIRST COUNT")?;
        let first: usize = first.parse()?;
        let count = count.parse().ok();
        let asked = &probes[first * dim..][..count.unwrap_or(1) * dim];
        let start = Instant::now();
        let found = index.search(asked, k)?;
        let seconds = start.elapsed().as_secs_f64();
        match count {
            Some(_) => println!("{seconds}"),
            None => {
                let rows = found[0].iter().map(|near| near.index.to_string());
                println!("{}", rows.collect::<Vec<_>>().join(" "));
            }
        }
    }
    Ok(())
}

fn floats(path: &str) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect())
}
