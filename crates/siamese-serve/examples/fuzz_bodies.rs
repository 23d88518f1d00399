//! Damaged requests, as many as one likes: `cargo run -p siamese-serve --example fuzz_bodies -- --count 100000`.
//!
//! Ends with 1 at the first answer that is a fault (5xx) or no sentence; panics are such. `--seed` begins elsewhere.

#[path = "../tests/bodies/mod.rs"]
mod bodies;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use siamese_serve::Event;
use support::server_with_gallery;
use tokio::task::JoinSet;

/// Requests at once.
const TOGETHER: usize = 8;

#[tokio::main]
async fn main() -> Result<()> {
    let (mut count, mut seed) = (10_000, 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words
            .next()
            .with_context(|| format!("{word} wants a number"))?
            .parse()?;
        match word.as_str() {
            "--count" => count = number,
            "--seed" => seed = number,
            _ => bail!("no option {word}; there are --count and --seed"),
        }
    }
    let folder = tempfile::tempdir()?;
    let told = |event| {
        if let Event::Fault { why, .. } = event {
            eprintln!("fault: {why}");
        }
    };
    let router = server_with_gallery(folder.path(), bodies::config(), told)?.router();
    let mut bodies = bodies::Bodies::new(seed)?;
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    let mut sent = 0;
    while sent < count || !running.is_empty() {
        while sent < count && running.len() < TOGETHER {
            running.spawn(bodies::answered(router.clone(), bodies.draw()?));
            sent += 1;
        }
        let Some(answered) = running.join_next().await else {
            break;
        };
        let (status, wrong) = answered??;
        if let Some(wrong) = wrong {
            bail!("{wrong}");
        }
        *statuses.entry(status).or_default() += 1;
    }
    println!(
        "{count} requests in {:.0} s, none a fault",
        begun.elapsed().as_secs_f64()
    );
    for (status, number) in statuses {
        println!("  {status}  {number}");
    }
    Ok(())
}
