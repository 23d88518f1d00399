//! t-SNE: a map of the plane in which neighbours stay neighbours.
//!
//! Van der Maaten and Hinton, *Visualizing data using t-SNE* (JMLR 2008), with attraction along
//! each point's `3·perplexity` nearest neighbours as in Barnes–Hut t-SNE (JMLR 2014), repulsion
//! from all points exactly, and a start from PCA (Kobak and Berens 2019).

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use siamese_words::counted;

use super::pca::pca;
use crate::distance::Distance;
use crate::embeddings::EmbeddingView;
use crate::error::{Error, Result};
use crate::retrieval::nearest;

/// How the map is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TsneConfig {
    /// About how many neighbours a point holds on to; at most a third of the others.
    pub perplexity: f64,
    /// Gradient steps, the first 250 of them with attraction exaggerated twelvefold.
    pub iterations: usize,
    /// In which distance neighbours are near.
    pub metric: Distance,
    /// Seed of the jitter that parts identical points.
    pub seed: u64,
}

impl Default for TsneConfig {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            iterations: 750,
            metric: Distance::default(),
            seed: 0,
        }
    }
}

const EXAGGERATION: f32 = 12.0;
const EXAGGERATED_STEPS: usize = 250;

/// Places each row of `set` in the plane.
///
/// Takes `N²` time a step: meant for some thousands of points, so sample larger sets. The same
/// seed gives the same map, bit for bit, on any number of threads.
///
/// # Errors
/// Fewer than 4 rows, or a perplexity that is not positive.
pub fn tsne(set: &EmbeddingView, config: &TsneConfig) -> Result<Vec<[f32; 2]>> {
    if set.len() < 4 {
        let why = format!("{}, a map needs at least 4", counted(set.len(), "row"));
        return Err(Error::Invalid {
            what: "embeddings",
            why,
        });
    }
    if config.perplexity.is_nan() || config.perplexity <= 0.0 {
        let why = format!("{} is not positive", config.perplexity);
        return Err(Error::Invalid {
            what: "perplexity",
            why,
        });
    }
    let affinities = affinities(set, config)?;
    let mut map = Map::new(set, config.seed);
    for step in 0..config.iterations {
        let early = step < EXAGGERATED_STEPS;
        let exaggeration = if early { EXAGGERATION } else { 1.0 };
        let momentum = if early { 0.5 } else { 0.8 };
        map.step(&affinities, exaggeration, momentum);
    }
    Ok(map.x.iter().zip(&map.y).map(|(x, y)| [*x, *y]).collect())
}

/// `p_ij` of each point's neighbours, symmetric, summing to 1 over all.
type Affinities = Vec<Vec<(u32, f32)>>;

fn affinities(set: &EmbeddingView, config: &TsneConfig) -> Result<Affinities> {
    let n = set.len();
    let perplexity = config.perplexity.min((n - 1) as f64 / 3.0).max(1.0);
    let k = ((3.0 * perplexity) as usize).clamp(1, n - 1);
    let neighbours = nearest(set, None, config.metric, k)?;
    let mut joint: HashMap<(u32, u32), f64> = HashMap::new();
    for (i, neighbours) in neighbours.iter().enumerate() {
        // Squared distances enter the Gaussian, except where they are squares already.
        let squared: Vec<f64> = neighbours
            .iter()
            .map(|n| f64::from(n.distance))
            .map(|d| {
                if config.metric == Distance::SquaredEuclidean {
                    d
                } else {
                    d * d
                }
            })
            .collect();
        for (neighbour, p) in neighbours.iter().zip(conditional(&squared, perplexity)) {
            let j = neighbour.index;
            let couple = (j.min(i as u32), j.max(i as u32));
            *joint.entry(couple).or_default() += p / (2 * n) as f64;
        }
    }
    let mut affinities = vec![Vec::new(); n];
    for ((i, j), p) in joint {
        affinities[i as usize].push((j, p as f32));
        affinities[j as usize].push((i, p as f32));
    }
    // The map's order is not ours: a fixed order makes the sums repeat.
    affinities
        .iter_mut()
        .for_each(|list| list.sort_unstable_by_key(|(j, _)| *j));
    Ok(affinities)
}

/// Gaussian weights over neighbours whose entropy is `ln perplexity`, the width found by bisection.
fn conditional(squared: &[f64], perplexity: f64) -> Vec<f64> {
    let nearest = squared.iter().copied().fold(f64::INFINITY, f64::min);
    let spread = squared.iter().map(|d| d - nearest).sum::<f64>() / squared.len() as f64;
    let unit = if spread > 0.0 { spread } else { 1.0 };
    let weights = |beta: f64| -> Vec<f64> {
        let raw: Vec<f64> = squared
            .iter()
            .map(|d| (-beta * (d - nearest) / unit).exp())
            .collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|w| w / sum).collect()
    };
    let (mut low, mut high, mut beta) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..64 {
        let p = weights(beta);
        let entropy: f64 = p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        if entropy > perplexity.ln() {
            low = beta;
            beta = if high.is_finite() {
                (low + high) / 2.0
            } else {
                beta * 2.0
            };
        } else {
            high = beta;
            beta = (low + high) / 2.0;
        }
    }
    weights(beta)
}

/// Points on the move.
struct Map {
    x: Vec<f32>,
    y: Vec<f32>,
    velocity: Vec<[f32; 2]>,
    gains: Vec<[f32; 2]>,
    rate: f32,
}

impl Map {
    fn new(set: &EmbeddingView, seed: u64) -> Self {
        let n = set.len();
        let plane = pca(set).points;
        let variance = plane.iter().map(|p| f64::from(p[0]).powi(2)).sum::<f64>() / n as f64;
        let scale = if variance > 0.0 {
            1e-4 / variance.sqrt()
        } else {
            0.0
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut place = |p: f32| (f64::from(p) * scale) as f32 + rng.random_range(-1e-6f32..1e-6);
        let (x, y) = plane.iter().map(|p| (place(p[0]), place(p[1]))).unzip();
        Self {
            x,
            y,
            velocity: vec![[0.0; 2]; n],
            gains: vec![[1.0; 2]; n],
            rate: (n as f32 / EXAGGERATION / 4.0).max(50.0),
        }
    }

    fn step(&mut self, affinities: &Affinities, exaggeration: f32, momentum: f32) {
        let repulsion: Vec<[f32; 3]> = (0..self.x.len())
            .into_par_iter()
            .map(|i| self.repulsion(i))
            .collect();
        // Each point meets itself once, with weight 1.
        let sum: f64 = repulsion.iter().map(|r| f64::from(r[2]) - 1.0).sum();
        let sum = sum.max(f64::MIN_POSITIVE) as f32;
        let gradient: Vec<[f32; 2]> = (0..self.x.len())
            .into_par_iter()
            .map(|i| {
                let pull = self.attraction(i, &affinities[i]);
                [0, 1].map(|d| 4.0 * (exaggeration * pull[d] - repulsion[i][d] / sum))
            })
            .collect();
        for (i, gradient) in gradient.iter().enumerate() {
            let places = [&mut self.x[i], &mut self.y[i]];
            for (d, place) in places.into_iter().enumerate() {
                let (velocity, gain) = (&mut self.velocity[i][d], &mut self.gains[i][d]);
                let onward = (gradient[d] > 0.0) != (*velocity > 0.0);
                *gain = if onward {
                    *gain + 0.2
                } else {
                    (*gain * 0.8).max(0.01)
                };
                *velocity = momentum * *velocity - self.rate * *gain * gradient[d];
                *place += *velocity;
            }
        }
    }

    /// `Σ_j p_ij q_ij (y_i − y_j)`, `q_ij = 1/(1 + ‖y_i − y_j‖²)`.
    fn attraction(&self, i: usize, affinities: &[(u32, f32)]) -> [f32; 2] {
        let mut sum = [0.0; 2];
        for &(j, p) in affinities {
            let (dx, dy) = (
                self.x[i] - self.x[j as usize],
                self.y[i] - self.y[j as usize],
            );
            let weight = p / (1.0 + dx * dx + dy * dy);
            sum[0] += weight * dx;
            sum[1] += weight * dy;
        }
        sum
    }

    /// `Σ_j q_ij² (y_i − y_j)` and `Σ_j q_ij`, in eight interleaved sums that compilers vectorise.
    fn repulsion(&self, i: usize) -> [f32; 3] {
        const LANES: usize = 8;
        let (x, y) = (self.x[i], self.y[i]);
        let term = |other_x: f32, other_y: f32| {
            let (dx, dy) = (x - other_x, y - other_y);
            let q = 1.0 / (1.0 + dx * dx + dy * dy);
            [q * q * dx, q * q * dy, q]
        };
        let mut lanes = [[0f32; LANES]; 3];
        let (x_blocks, x_rest) = self.x.as_chunks::<LANES>();
        let (y_blocks, y_rest) = self.y.as_chunks::<LANES>();
        for (xs, ys) in x_blocks.iter().zip(y_blocks) {
            for lane in 0..LANES {
                let terms = term(xs[lane], ys[lane]);
                for (sums, term) in lanes.iter_mut().zip(terms) {
                    sums[lane] += term;
                }
            }
        }
        let mut sums = lanes.map(|lane| lane.iter().sum::<f32>());
        for (xs, ys) in x_rest.iter().zip(y_rest) {
            let terms = term(*xs, *ys);
            sums.iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| *sum += term);
        }
        sums
    }
}
