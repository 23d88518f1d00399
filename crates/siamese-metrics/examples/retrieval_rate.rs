//! How long the exact retrieval figures of N embeddings take: `retrieval_rate [N] [D] [LABELS] [ROUNDS]`.
//!
//! `benches/retrieval_peers.py` runs this beside scikit-learn and faiss-cpu on the same embeddings.
//! The numbers are drawn by a small generator that both sides know.

use std::time::Instant;

use siamese_metrics::retrieval::{RetrievalConfig, retrieval};
use siamese_metrics::{Distance, EmbeddingView};

fn main() -> siamese_metrics::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().unwrap_or(0));
    let mut next = |default| arguments.next().filter(|n| *n > 0).unwrap_or(default);
    let (n, dim, labels, rounds) = (next(10_000), next(128), next(100), next(3));
    let (values, labels) = embeddings(n, dim, labels as u32);
    let set = EmbeddingView::new(&values, dim, &labels)?;
    for metric in [Distance::Euclidean, Distance::Cosine, Distance::Manhattan] {
        let mut seconds = Vec::new();
        let mut figures = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            figures = retrieval(
                &set,
                None,
                &RetrievalConfig {
                    metric: metric.into(),
                    ..Default::default()
                },
            )?
            .figures;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        println!(
            "{metric:?}: {n} × {dim}, median of {rounds}: {:.3} s",
            seconds[rounds / 2]
        );
        for figure in figures {
            println!("  {} {:.6}", figure.name, figure.value);
        }
    }
    Ok(())
}

/// Clustered rows from a 64-bit linear congruential generator, labels in turn.
fn embeddings(n: usize, dim: usize, classes: u32) -> (Vec<f32>, Vec<u32>) {
    let mut state = 1u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..classes as usize * dim).map(|_| draw()).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % classes).collect();
    let values = labels
        .iter()
        .flat_map(|l| &centres[*l as usize * dim..][..dim])
        .map(|centre| 0.35 * centre + draw())
        .collect();
    (values, labels)
}
