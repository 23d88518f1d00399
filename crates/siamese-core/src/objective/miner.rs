//! Miners: which triplets of a batch a loss is taken over, once the distances are known.

use candle_core::{DType, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::pairing::Pairing;

/// Which triplets of a batch count. The average is over those that were mined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Miner {
    /// All that still cost something (Hermans, Beyer and Leibe 2017, "batch all").
    All,
    /// For each anchor its farthest like and its nearest unlike image (the same paper's "batch hard").
    #[default]
    BatchHard,
    /// Those whose negative is farther than the positive, but not by the margin (Schroff, Kalenichenko and Philbin
    /// 2015, §3.2). Early on there may be none, and then nothing is learned from the batch.
    SemiHard,
}

/// The triplets that were mined.
pub(super) struct Mined {
    /// How often each pair is a costing triplet's `(anchor, positive)`, and its `(anchor, negative)`, as shares of the
    /// number of triplets mined: each sums to the share of the mined triplets that cost something.
    pub(super) weights: Pairing,
    /// Share of all triplets of the batch that cost something.
    pub(super) active: f64,
}

impl Miner {
    /// Mines the triplets of a batch from its distances, row by row `(N, N)`, and its labels.
    ///
    /// This is done on the host, once a step: what comes out are weights, so that no N³ tensor is ever made.
    pub(super) fn mine(
        self,
        distances: &[Vec<f64>],
        labels: &[u32],
        margin: f64,
        (dtype, device): (DType, &Device),
    ) -> Result<Mined> {
        let n = labels.len();
        let mut tally = Tally::new(n);
        for (anchor, row) in distances.iter().enumerate() {
            let like = |&i: &usize| i != anchor && labels[i] == labels[anchor];
            let positives: Vec<usize> = (0..n).filter(like).collect();
            let negatives: Vec<usize> = (0..n).filter(|&i| labels[i] != labels[anchor]).collect();
            tally.count(row, &positives, &negatives, margin);
            let triplets = self.of_anchor(row, &positives, &negatives, margin);
            triplets
                .into_iter()
                .for_each(|(p, n)| tally.take(anchor, row, p, n, margin));
        }
        tally.shares(dtype, device)
    }

    fn of_anchor(
        self,
        row: &[f64],
        positives: &[usize],
        negatives: &[usize],
        margin: f64,
    ) -> Vec<(usize, usize)> {
        let all = || {
            positives
                .iter()
                .flat_map(|&p| negatives.iter().map(move |&n| (p, n)))
        };
        let gap = |(p, n): (usize, usize)| row[n] - row[p];
        let nearer = |a: &&usize, b: &&usize| row[**a].total_cmp(&row[**b]);
        match self {
            Self::All => all().filter(|&t| gap(t) < margin).collect(),
            Self::SemiHard => all().filter(|&t| gap(t) > 0.0 && gap(t) < margin).collect(),
            Self::BatchHard => {
                let farthest = positives.iter().max_by(nearer);
                let nearest = negatives.iter().min_by(nearer);
                farthest
                    .zip(nearest)
                    .map(|(&p, &n)| (p, n))
                    .into_iter()
                    .collect()
            }
        }
    }
}

/// What is counted while mining.
struct Tally {
    n: usize,
    like: Vec<f64>,
    unlike: Vec<f64>,
    mined: usize,
    triplets: usize,
    costing: usize,
}

impl Tally {
    fn new(n: usize) -> Self {
        let (like, unlike) = (vec![0.0; n * n], vec![0.0; n * n]);
        Self {
            n,
            like,
            unlike,
            mined: 0,
            triplets: 0,
            costing: 0,
        }
    }

    /// Counts an anchor's triplets, mined or not.
    fn count(&mut self, row: &[f64], positives: &[usize], negatives: &[usize], margin: f64) {
        self.triplets += positives.len() * negatives.len();
        for &p in positives {
            let costs = |n: &&usize| row[**n] - row[p] < margin;
            self.costing += negatives.iter().filter(costs).count();
        }
    }

    fn take(&mut self, anchor: usize, row: &[f64], p: usize, n: usize, margin: f64) {
        self.mined += 1;
        if row[n] - row[p] < margin {
            self.like[anchor * self.n + p] += 1.0;
            self.unlike[anchor * self.n + n] += 1.0;
        }
    }

    fn shares(self, dtype: DType, device: &Device) -> Result<Mined> {
        let share = 1.0 / self.mined.max(1) as f64;
        let weights = |counts: Vec<f64>| {
            let shares: Vec<f64> = counts.into_iter().map(|count| count * share).collect();
            // narrowed here: not every device knows f64
            match dtype {
                DType::F64 => Tensor::from_vec(shares, (self.n, self.n), device),
                _ => {
                    let shares: Vec<f32> = shares.into_iter().map(|s| s as f32).collect();
                    Tensor::from_vec(shares, (self.n, self.n), device)?.to_dtype(dtype)
                }
            }
        };
        Ok(Mined {
            weights: Pairing {
                like: weights(self.like)?,
                unlike: weights(self.unlike)?,
            },
            active: self.costing as f64 / self.triplets.max(1) as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the first image: a like one at 3 and one at 1, unlike ones at 2, 3.5 and 9.
    #[test]
    fn each_miner_takes_its_triplets() -> Result<()> {
        let mut distances = vec![vec![0.0; 6]; 6];
        distances[0] = vec![0.0, 3.0, 1.0, 2.0, 3.5, 9.0];
        let labels = [0, 0, 0, 1, 2, 3];
        let mined = |miner: Miner| -> Result<_> {
            let distances: Vec<Vec<f64>> = distances[..1].to_vec();
            let mined = miner.mine(&distances, &labels, 2.0, (DType::F64, &Device::Cpu))?;
            let row = |t: Tensor| t.get(0)?.to_vec1::<f64>();
            Ok((
                row(mined.weights.like)?,
                row(mined.weights.unlike)?,
                mined.active,
            ))
        };
        // (p, n) that cost: (3, 2), (3, 3.5), (1, 2); of six in all
        let (like, unlike, active) = mined(Miner::All)?;
        let thirds = |counts: [f64; 6]| counts.map(|c| c * (1.0 / 3.0)).to_vec();
        assert_eq!(like, thirds([0., 2., 1., 0., 0., 0.]));
        assert_eq!(unlike, thirds([0., 0., 0., 2., 1., 0.]));
        assert_eq!(active, 0.5);
        let (like, unlike, active) = mined(Miner::BatchHard)?;
        assert_eq!(like, [0., 1., 0., 0., 0., 0.]);
        assert_eq!(unlike, [0., 0., 0., 1., 0., 0.]);
        assert_eq!(active, 0.5);
        // of those three (3, 2) has its negative nearer than the positive
        let (like, unlike, active) = mined(Miner::SemiHard)?;
        assert_eq!(like, [0., 0.5, 0.5, 0., 0., 0.]);
        assert_eq!(unlike, [0., 0., 0., 0.5, 0.5, 0.]);
        assert_eq!(active, 0.5);
        Ok(())
    }
}
