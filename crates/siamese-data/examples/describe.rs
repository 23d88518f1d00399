//! Says what a path, a name or a repository of the hub holds: `cargo run -p siamese-data --example describe -- PATH`.

use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let what = std::env::args().nth(1).unwrap_or_else(|| "cifar100".into());
    let start = Instant::now();
    let listing = siamese_data::open(&what, &siamese_data::OpenOptions::default())?;
    print!("{}", listing.describe());
    println!("  listed in {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let fingerprint = listing.fingerprint()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("  fingerprint {} in {seconds:.2} s", &fingerprint[..12]);
    Ok(())
}
