//! Pairs of images, and the fixed pairs that a model is judged by.

use rand::Rng;
use rand::seq::{SliceRandom, index};
use serde::{Deserialize, Serialize};

use siamese_files::limits::PAIRS;

use super::error::SamplerError;
use super::groups::Groups;
use crate::rng::stream;

/// Two images, and whether they are of the same class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The anchor: an index into the image set.
    pub a: u32,
    /// The anchor's partner: an index into the image set, never that of the anchor.
    pub b: u32,
    /// True where both images have the same class.
    pub like: bool,
}

/// `count` distinct pairs of the images `indices`, half of them like, in random order.
///
/// Like pairs are drawn without replacement from all like pairs that exist, each equally probable,
/// and unlike pairs likewise, so that figures over these pairs estimate the figures over all pairs.
/// A pair counts once whichever of its images comes first, and none comes twice: where one kind
/// has fewer pairs than its half, all of them are there and the other kind fills the rest; where
/// fewer than `count` pairs exist, all of them are there. Figures that depend on the mix then weigh
/// both kinds alike (`Mix::Even`). An odd `count` has one more unlike pair. The pairs depend on the
/// seed and on the *set* of indices, not on their order.
///
/// # Errors
///
/// No image, an index beyond `labels` or given twice, a single class, or no class with two images
/// (then there is no like pair).
///
/// ```
/// use siamese_data::evaluation_pairs;
///
/// let labels = [7, 7, 3, 3, 3];
/// let pairs = evaluation_pairs(&labels, &[0, 1, 2, 3, 4], 6, 42)?;
/// assert_eq!(pairs.iter().filter(|pair| pair.like).count(), 3);
/// // Four like and six unlike ones are all there are.
/// assert_eq!(evaluation_pairs(&labels, &[0, 1, 2, 3, 4], 20_000, 42)?.len(), 10);
/// # Ok::<(), siamese_data::SamplerError>(())
/// ```
pub fn evaluation_pairs(
    labels: &[u32],
    indices: &[u32],
    count: usize,
    seed: u64,
) -> Result<Vec<Pair>, SamplerError> {
    let groups = Groups::new(labels, indices, None)?;
    let ranks = PairRanks::new(&groups);
    if ranks.like_total() == 0 {
        return Err(SamplerError::NoLikePair {
            classes: groups.classes().len(),
        });
    }
    let mut rng = stream(seed, "evaluation pairs", &[]);
    let (like, unlike) = shares(count, ranks.like_total(), ranks.unlike_total());
    PAIRS
        .check_len(like.saturating_add(unlike))
        .map_err(SamplerError::TooMany)?;
    let mut pairs = Vec::with_capacity(like + unlike);
    for rank in draw(ranks.like_total(), like, &mut rng) {
        pairs.push(oriented(ranks.like(rank), true, &mut rng));
    }
    for rank in draw(ranks.unlike_total(), unlike, &mut rng) {
        pairs.push(oriented(ranks.unlike(rank), false, &mut rng));
    }
    pairs.shuffle(&mut rng);
    Ok(pairs)
}

/// How many like and unlike pairs make `count`, of so many that exist.
fn shares(count: usize, like: usize, unlike: usize) -> (usize, usize) {
    let wanted = (count / 2).max(count.saturating_sub(unlike));
    let likes = wanted.min(like);
    (likes, (count - likes).min(unlike))
}

/// `count` of the numbers `0..total`, none twice.
fn draw(total: usize, count: usize, rng: &mut impl Rng) -> Vec<usize> {
    if count == total {
        return (0..total).collect();
    }
    index::sample(rng, total, count).into_vec()
}

/// The pair with either image first, at even odds.
fn oriented((x, y): (u32, u32), like: bool, rng: &mut impl Rng) -> Pair {
    let (a, b) = if rng.random() { (x, y) } else { (y, x) };
    Pair { a, b, like }
}

/// Numbers all like pairs, and all unlike pairs, from 0 on.
struct PairRanks<'a> {
    groups: &'a Groups,
    /// How many like pairs the classes before each class have, and last the total.
    like: Vec<usize>,
    /// How many unlike pairs have their first image in the classes before each class.
    unlike: Vec<usize>,
}

impl<'a> PairRanks<'a> {
    fn new(groups: &'a Groups) -> Self {
        let (mut like, mut unlike) = (vec![0], vec![0]);
        let (mut like_sum, mut unlike_sum) = (0, 0);
        for class in groups.classes() {
            let members = class.places.len();
            like_sum += members * (members - 1) / 2;
            unlike_sum += members * (groups.len() - class.places.end);
            like.push(like_sum);
            unlike.push(unlike_sum);
        }
        Self {
            groups,
            like,
            unlike,
        }
    }

    fn like_total(&self) -> usize {
        self.like[self.groups.classes().len()]
    }

    fn unlike_total(&self) -> usize {
        self.unlike[self.groups.classes().len()]
    }

    /// The like pair of this rank: within a class, (1,0), (2,0), (2,1), (3,0) and so on.
    fn like(&self, rank: usize) -> (u32, u32) {
        let class = self.like.partition_point(|&before| before <= rank) - 1;
        let within = rank - self.like[class];
        // Row r of the triangle starts at r(r−1)/2; the root is a guess that rounding may put one off.
        let mut row = ((1.0 + (1.0 + 8.0 * within as f64).sqrt()) / 2.0) as usize;
        while row * (row - 1) / 2 > within {
            row -= 1;
        }
        while (row + 1) * row / 2 <= within {
            row += 1;
        }
        let first = self.groups.classes()[class].places.start;
        (
            self.groups.image(first + row),
            self.groups.image(first + within - row * (row - 1) / 2),
        )
    }

    /// The unlike pair of this rank: each image of a class with each image of the later classes.
    fn unlike(&self, rank: usize) -> (u32, u32) {
        let class = self.unlike.partition_point(|&before| before <= rank) - 1;
        let within = rank - self.unlike[class];
        let places = &self.groups.classes()[class].places;
        let later = self.groups.len() - places.end;
        (
            self.groups.image(places.start + within / later),
            self.groups.image(places.end + within % later),
        )
    }
}
