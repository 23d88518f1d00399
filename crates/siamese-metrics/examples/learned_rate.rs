//! How long a learned comparison takes to find the nearest neighbours of a whole set: rows, length, width of a hidden layer.
//!
//! `cargo run --release -p siamese-metrics --example learned_rate -- 10000 128 64`

use std::time::Instant;

use siamese_metrics::retrieval::nearest;
use siamese_metrics::{Combine, Comparison, Dense, EmbeddingView};

fn main() -> siamese_metrics::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let mut next = |usual| arguments.next().and_then(Result::ok).unwrap_or(usual);
    let (rows, dim, hidden) = (next(10_000), next(128), next(0));
    let number = |i: usize| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5;
    let layer = |inputs: usize, outputs: usize| Dense {
        weights: (0..inputs * outputs).map(number).collect(),
        bias: vec![0.1; outputs],
    };
    let layers = match hidden {
        0 => vec![layer(dim, 1)],
        width => vec![layer(dim, width), layer(width, 1)],
    };
    let comparison = Comparison::new(vec![Combine::AbsoluteDifference], dim, layers)?;
    let values: Vec<f32> = (0..rows * dim).map(|i| number(i * 31 + i / 7)).collect();
    let labels = vec![0; rows];
    let set = EmbeddingView::new(&values, dim, &labels)?;
    let started = Instant::now();
    let found = nearest(&set, None, comparison, 10)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} probes among {rows} × {dim}, hidden {hidden}: {seconds:.2} s",
        found.len()
    );
    Ok(())
}
