//! Miners: which triplets of a batch a loss is taken over, once the distances are known.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::pairing::Pairing;
use super::rows::{has_any, largest, smallest};
use crate::distance::{normalize, squared_pairwise};

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
    /// All, each negative weighing as probable as it is where negatives are drawn evenly over their distances (Wu et
    /// al. 2017, §4). It is the expectation of the paper's draw, so that nothing is drawn.
    DistanceWeighted,
    /// Those in which anchor and positive, scaled to unit length, are seen from the negative under more than 20° to
    /// either side of their middle (Wang et al. 2017, "angular").
    Angular,
    /// For each like pair the unlike image whose distance is nearest to that of the pair.
    NearestGap,
}

/// A batch to mine.
pub(super) struct Unmined<'a> {
    /// `(N, N)`
    pub(super) distances: &'a Tensor,
    /// `(N, D)`
    pub(super) embeddings: &'a Tensor,
    pub(super) pairing: &'a Pairing,
    pub(super) margin: f64,
}

/// The triplets that were mined.
pub(super) struct Mined {
    /// How often each pair is a costing triplet's `(anchor, positive)`, and its `(anchor, negative)`, as shares of the
    /// number of triplets mined: each sums to the share of the mined triplets that cost something.
    pub(super) weights: Pairing,
    /// Share of the triplets mined from that cost something, a scalar: all of the batch, or each anchor's hardest.
    pub(super) active: Tensor,
}

/// Anchors at once are so many that a tensor over their triplets has about this many values.
const TRIPLETS: usize = 1 << 22;

impl Miner {
    /// Mines the triplets of a batch where its distances lie: no device is read.
    ///
    /// All but [`Self::BatchHard`] look at N³ triplets, some anchors at a time.
    pub(super) fn mine(self, batch: &Unmined) -> Result<Mined> {
        let known = batch.distances.detach();
        if self == Self::BatchHard {
            return hardest(&known, batch.pairing, batch.margin);
        }
        let n = known.dim(0)?;
        let at_once = (TRIPLETS / (n * n)).clamp(1, n);
        let squares = squared_unit(batch.embeddings)?;
        let chances = chances(batch.embeddings, &batch.pairing.unlike)?;
        let mut tally = Tally::default();
        for first in (0..n).step_by(at_once) {
            let rows = |t: &Tensor| t.narrow(0, first, at_once.min(n - first))?.contiguous();
            let anchors = Anchors {
                distances: rows(&known)?,
                like: rows(&batch.pairing.like)?,
                unlike: rows(&batch.pairing.unlike)?,
                chances: rows(&chances)?,
                squares: (rows(&squares)?, &squares),
            };
            tally.add(&anchors, self, batch.margin)?;
        }
        tally.shares()
    }
}

/// Some anchors' rows: `(A, N)` each.
struct Anchors<'a> {
    distances: Tensor,
    like: Tensor,
    unlike: Tensor,
    chances: Tensor,
    /// Squared distances between unit vectors, those of the anchors and all.
    squares: (Tensor, &'a Tensor),
}

impl Anchors<'_> {
    /// 1 for each triplet `(A, N, N)`: anchor, positive, negative.
    fn triplets(&self) -> Result<Tensor> {
        let unlike = self.unlike.unsqueeze(1)?;
        self.like.unsqueeze(2)?.broadcast_mul(&unlike)
    }

    /// `d_an − d_ap` of each triplet.
    fn gaps(&self) -> Result<Tensor> {
        let positive = self.distances.unsqueeze(2)?;
        self.distances.unsqueeze(1)?.broadcast_sub(&positive)
    }

    /// Which of the triplets are mined, and how much each weighs; `costs` is 1 for those that cost something.
    fn mined(
        &self,
        miner: Miner,
        triplets: &Tensor,
        gaps: &Tensor,
        costs: &Tensor,
    ) -> Result<Tensor> {
        match miner {
            Miner::All | Miner::BatchHard => Ok(costs.clone()),
            Miner::SemiHard => costs * gaps.gt(0.0)?.to_dtype(costs.dtype())?,
            Miner::DistanceWeighted => triplets.broadcast_mul(&self.chances.unsqueeze(1)?),
            Miner::Angular => triplets * self.wide_angles()?.to_dtype(costs.dtype())?,
            Miner::NearestGap => {
                let away = gaps.abs()?;
                let least = smallest(&away, triplets)?;
                let nearest = away.broadcast_eq(&least)?.to_dtype(costs.dtype())?;
                triplets * nearest
            }
        }
    }

    /// Whether anchor and positive are seen from the negative under more than the angle α: with c their middle,
    /// `‖a − p‖ > 2 tan α · ‖n − c‖`, and `‖n − c‖² = ½ ‖n − a‖² + ½ ‖n − p‖² − ¼ ‖a − p‖²`.
    fn wide_angles(&self) -> Result<Tensor> {
        let squared_tangent = 20f64.to_radians().tan().powi(2);
        let factor = (1.0 + squared_tangent) / (2.0 * squared_tangent);
        let (of_anchors, all) = &self.squares;
        let to_negative = of_anchors.unsqueeze(1)?.broadcast_add(&all.unsqueeze(0)?)?;
        let between = of_anchors.affine(factor, 0.0)?.unsqueeze(2)?;
        to_negative.broadcast_lt(&between)
    }
}

/// What is counted while mining: tensors, so that nothing is read.
#[derive(Default)]
struct Tally {
    like: Vec<Tensor>,
    unlike: Vec<Tensor>,
    /// `[mined, triplets, costing]` of some anchors.
    counts: Vec<Tensor>,
}

impl Tally {
    fn add(&mut self, anchors: &Anchors, miner: Miner, margin: f64) -> Result<()> {
        let (triplets, gaps) = (anchors.triplets()?, anchors.gaps()?);
        let costs = (gaps.lt(margin)?.to_dtype(triplets.dtype())? * &triplets)?;
        let mined = anchors.mined(miner, &triplets, &gaps, &costs)?;
        let taken = (&mined * &costs)?;
        self.like.push(taken.sum(2)?);
        self.unlike.push(taken.sum(1)?);
        let counts = [mined.sum_all()?, triplets.sum_all()?, costs.sum_all()?];
        self.counts.push(Tensor::stack(&counts, 0)?);
        Ok(())
    }

    fn shares(self) -> Result<Mined> {
        let counts = Tensor::stack(&self.counts, 0)?.sum(0)?;
        let [mined, triplets, costing] = [0, 1, 2].map(|i| counts.get(i));
        Ok(Mined {
            weights: share(
                (Tensor::cat(&self.like, 0)?, Tensor::cat(&self.unlike, 0)?),
                &mined?,
            )?,
            active: (costing? / at_least_one(&triplets?)?)?,
        })
    }
}

/// Batch hard needs no look at all triplets.
fn hardest(distances: &Tensor, pairing: &Pairing, margin: f64) -> Result<Mined> {
    let Pairing { like, unlike } = pairing;
    let (farthest, nearest) = (largest(distances, like)?, smallest(distances, unlike)?);
    let mined = (has_any(like)? * has_any(unlike)?)?;
    let gap = (&nearest - &farthest)?;
    let costs = (gap.lt(margin)?.to_dtype(mined.dtype())? * &mined)?;
    // of several that are as far, each has its part
    let part = |at: &Tensor, of: &Tensor| -> Result<Tensor> {
        let same = (distances.broadcast_eq(at)?.to_dtype(of.dtype())? * of)?;
        let count = same.sum_keepdim(1)?.maximum(1.0)?;
        same.broadcast_div(&count)?.broadcast_mul(&costs)
    };
    let weights = (part(&farthest, like)?, part(&nearest, unlike)?);
    let mined = mined.sum_all()?;
    Ok(Mined {
        active: (costs.sum_all()? / at_least_one(&mined)?)?,
        weights: share(weights, &mined)?,
    })
}

fn share((like, unlike): (Tensor, Tensor), mined: &Tensor) -> Result<Pairing> {
    // a sum of chances may be less than 1, and no sum of them is next to nothing
    let mined = mined.maximum(1e-6)?;
    Ok(Pairing {
        like: like.broadcast_div(&mined)?,
        unlike: unlike.broadcast_div(&mined)?,
    })
}

fn at_least_one(count: &Tensor) -> Result<Tensor> {
    count.maximum(1.0)
}

fn squared_unit(embeddings: &Tensor) -> Result<Tensor> {
    let unit = normalize(&embeddings.detach())?;
    squared_pairwise(&unit, &unit)
}

/// The chance of each unlike image to be drawn as an anchor's negative, `(N, N)`, rows summing to 1 where there is one:
/// proportional to `1 / q(d)`, with q the density of distances between random unit vectors (Wu et al. 2017, eq. 5):
///
/// `q(d) ∝ d^{D−2} (1 − d²/4)^{(D−3)/2}`
///
/// As in the paper's code, distances below 0.5 count as 0.5, and negatives past 1.4 only where there is no other.
pub(super) fn chances(embeddings: &Tensor, unlike: &Tensor) -> Result<Tensor> {
    let length = embeddings.dim(1)? as f64;
    let squares = squared_unit(embeddings)?.maximum(0.25)?;
    let room = squares.affine(-0.25, 1.0)?.maximum(1e-6)?;
    // log of 1/q, from d²
    let powers = (squares.log()?.affine(1.0 - length / 2.0, 0.0)?
        + room.log()?.affine((3.0 - length) / 2.0, 0.0)?)?;
    let near = (squares.lt(1.4 * 1.4)?.to_dtype(unlike.dtype())? * unlike)?;
    let none = has_any(&near)?.affine(-1.0, 1.0)?;
    let counts = (&near + unlike.broadcast_mul(&none)?)?;
    let weights = powers.broadcast_sub(&largest(&powers, &counts)?)?;
    let weights = ((weights * &counts)?.exp()? * &counts)?;
    weights.broadcast_div(&weights.sum_keepdim(1)?.maximum(1e-30)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// From the first image: a like one at 3 and one at 1, unlike ones at 2, 3.5 and 9; all others are far apart.
    #[test]
    fn each_miner_takes_its_triplets() -> Result<()> {
        let mut distances = vec![vec![0.0; 6]; 6];
        distances[0] = vec![0.0, 3.0, 1.0, 2.0, 3.5, 9.0];
        let distances = Tensor::new(distances, &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 0, 0, 1, 2, 3], &Device::Cpu)?;
        let mut pairing = Pairing::new(&labels, DType::F64)?;
        let first = Tensor::new(&[[1f64], [0.], [0.], [0.], [0.], [0.]], &Device::Cpu)?;
        pairing.like = pairing.like.broadcast_mul(&first)?;
        pairing.unlike = pairing.unlike.broadcast_mul(&first)?;
        let mined = |miner: Miner| -> Result<_> {
            let mined = miner.mine(&Unmined {
                distances: &distances,
                embeddings: &distances,
                pairing: &pairing,
                margin: 2.0,
            })?;
            let row = |t: Tensor| t.get(0)?.to_vec1::<f64>();
            let active = mined.active.to_scalar::<f64>()?;
            Ok((row(mined.weights.like)?, row(mined.weights.unlike)?, active))
        };
        let assert_mined =
            |miner: Miner, like: [f64; 6], unlike: [f64; 6], active: f64| -> Result<()> {
                let (got_like, got_unlike, got_active) = mined(miner)?;
                for (got, wanted) in got_like
                    .iter()
                    .chain(&got_unlike)
                    .zip(like.iter().chain(&unlike))
                {
                    assert!(
                        (got - wanted).abs() < 1e-12,
                        "{miner:?}: {got_like:?} {got_unlike:?}"
                    );
                }
                assert_eq!(got_active, active, "{miner:?}");
                Ok(())
            };
        let third = 1.0 / 3.0;
        // (p, n) that cost: (3, 2), (3, 3.5), (1, 2); of six in all
        let all = [0., 2. * third, third, 0., 0., 0.];
        assert_mined(Miner::All, all, [0., 0., 0., 2. * third, third, 0.], 0.5)?;
        let hard = [0., 1., 0., 0., 0., 0.];
        assert_mined(Miner::BatchHard, hard, [0., 0., 0., 1., 0., 0.], 1.0)?;
        // of those three (3, 2) has its negative nearer than the positive
        let semi = [0., 0.5, 0.5, 0., 0., 0.];
        assert_mined(Miner::SemiHard, semi, [0., 0., 0., 0.5, 0.5, 0.], 0.5)?;
        // (3, 3.5) and (1, 2) have the nearest gaps
        assert_mined(Miner::NearestGap, semi, [0., 0., 0., 0.5, 0.5, 0.], 0.5)
    }

    #[test]
    fn chances_are_those_of_the_papers_density() -> Result<()> {
        // unit vectors at 30°, 60°, 85° and 180° from the first, in four dimensions; the second is like it
        let at = |degrees: f64| {
            [
                degrees.to_radians().cos(),
                degrees.to_radians().sin(),
                0.,
                0.,
            ]
        };
        let x = [at(0.), at(10.), at(30.), at(60.), at(85.), at(180.)];
        let x = Tensor::new(&x, &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 0, 1, 1, 2, 2], &Device::Cpu)?;
        let unlike = Pairing::new(&labels, DType::F64)?.unlike;
        let chances = chances(&x, &unlike)?.get(0)?.to_vec1::<f64>()?;
        let inverse = |degrees: f64| {
            let d = (2.0 * (degrees.to_radians() / 2.0).sin()).max(0.5);
            1.0 / (d.powi(2) * (1.0 - d * d / 4.0).sqrt())
        };
        let total = inverse(30.) + inverse(60.) + inverse(85.);
        let wanted = [
            0.,
            0.,
            inverse(30.) / total,
            inverse(60.) / total,
            inverse(85.) / total,
            0.,
        ];
        for (got, wanted) in chances.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-9, "{chances:?}");
        }
        Ok(())
    }

    #[test]
    fn triplets_are_the_same_however_many_anchors_are_looked_at_at_once() -> Result<()> {
        // more images than anchors at once
        let n = 200usize;
        let values: Vec<f32> = (0..n * 3).map(|i| ((i * 37 % 101) as f32).sin()).collect();
        let x = Tensor::from_vec(values, (n, 3), &Device::Cpu)?;
        let labels: Vec<u32> = (0..n as u32).map(|i| i % 50).collect();
        let pairing = Pairing::new(&Tensor::new(labels.as_slice(), &Device::Cpu)?, DType::F32)?;
        let distances = squared_pairwise(&x, &x)?;
        assert!(TRIPLETS / (n * n) < n);
        let mined = Miner::All.mine(&Unmined {
            distances: &distances,
            embeddings: &x,
            pairing: &pairing,
            margin: 0.1,
        })?;
        let d = distances.to_vec2::<f32>()?;
        let like = mined.weights.like.to_vec2::<f32>()?;
        let costing = |a: usize, p: usize| {
            let unlike = (0..n).filter(|&i| labels[i] != labels[a]);
            unlike.filter(|&i| d[a][i] - d[a][p] < 0.1).count() as f32
        };
        let (one, other) = (costing(0, 50), costing(199, 49));
        assert!(one > 0.0 && other > 0.0);
        let ratio = like[0][50] / like[199][49];
        assert!(
            (ratio - one / other).abs() < 1e-3 * ratio,
            "{ratio} {one} {other}"
        );
        Ok(())
    }
}
