//! MTCNN: propose, refine, say where eyes, nose and mouth are.

use std::cmp::Reverse;

use candle_core::Result as CandleResult;

use crate::area::{Part, squares};
use crate::bounds::{Bounds, Overlap, keep_best};
use crate::error::Error;
use crate::face::{Face, Point};
use crate::nets::{OutputNet, ProposalNet, RefineNet, weights};
use crate::picture::Rgb;
use crate::pyramid::{propose, scales, thinned};
use crate::turn::{turned, turned_back};

/// Windows that a net looks at in one go.
const BATCH: usize = 256;

/// What is taken for a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorConfig {
    /// The smallest face that is looked for, in pixels; the time grows with the square of its inverse. At least 12.
    pub min_face: f32,
    /// How sure each of the three nets must be.
    pub thresholds: [f32; 3],
    /// By how much the picture shrinks from one size to the next at which it is looked at; between 0 and 1.
    pub factor: f32,
    /// Whether a picture in which no face is found is turned by quarters, until there is one.
    pub turn: bool,
}

impl Default for DetectorConfig {
    /// facenet-pytorch's: faces of 20 pixels, thresholds 0.6, 0.7 and 0.7, factor 0.709; nothing is turned.
    fn default() -> Self {
        Self {
            min_face: 20.0,
            thresholds: [0.6, 0.7, 0.7],
            factor: 0.709,
            turn: false,
        }
    }
}

/// Finds faces.
pub struct Detector {
    config: DetectorConfig,
    propose: ProposalNet,
    refine: RefineNet,
    output: OutputNet,
}

impl Detector {
    /// A detector as facenet-pytorch has it.
    ///
    /// # Errors
    /// As [`Self::with_config`].
    pub fn new() -> Result<Self, Error> {
        Self::with_config(DetectorConfig::default())
    }

    /// A detector as `config` says.
    ///
    /// # Errors
    /// When a setting lies out of its range.
    pub fn with_config(config: DetectorConfig) -> Result<Self, Error> {
        let DetectorConfig {
            min_face, factor, ..
        } = config;
        if !(12.0..=1e6).contains(&min_face) {
            let why = format!(
                "the smallest face to look for must have 12 pixels or more, got {min_face}"
            );
            return Err(Error::Config(why));
        }
        if !(0.1..=0.99).contains(&factor) {
            let why =
                format!("the factor between two sizes must lie between 0.1 and 0.99, got {factor}");
            return Err(Error::Config(why));
        }
        let vb = weights()?;
        Ok(Self {
            config,
            propose: ProposalNet::new(&vb)?,
            refine: RefineNet::new(&vb)?,
            output: OutputNet::new(&vb)?,
        })
    }

    /// The faces in a picture, the largest first. A picture in which there is none has an empty answer.
    ///
    /// # Errors
    /// When the nets fail, as for lack of memory.
    pub fn detect(&self, picture: &Rgb) -> Result<Vec<Face>, Error> {
        Ok(self.detect_turned(picture)?.0)
    }

    /// As [`Self::detect`], and by how many quarters clockwise the picture had to be turned for its faces to be
    /// upright: 0 unless [`DetectorConfig::turn`] is set. The faces lie in the picture as it was given.
    ///
    /// # Errors
    /// As [`Self::detect`].
    pub fn detect_turned(&self, picture: &Rgb) -> Result<(Vec<Face>, u8), Error> {
        let faces = self.upright(picture)?;
        if !faces.is_empty() || !self.config.turn {
            return Ok((faces, 0));
        }
        for quarters in [1, 3, 2] {
            let ((height, width), pixels) = turned(picture, quarters);
            let faces = self.upright(&Rgb::new(height, width, &pixels)?)?;
            if !faces.is_empty() {
                let back = |face| turned_back(face, (picture.height(), picture.width()), quarters);
                return Ok((faces.into_iter().map(back).collect(), quarters));
            }
        }
        Ok((Vec::new(), 0))
    }

    fn upright(&self, picture: &Rgb) -> Result<Vec<Face>, Error> {
        let mut found = Vec::new();
        for scale in scales(picture, self.config.min_face, self.config.factor) {
            let threshold = self.config.thresholds[0];
            found.extend(propose(&self.propose, picture, scale, threshold)?);
        }
        let moved = |p: crate::pyramid::Proposal| {
            let size = (p.bounds.width(), p.bounds.height());
            p.bounds.moved(p.moves, size).squared()
        };
        let boxes = thinned(found, 0.7).into_iter().map(moved).collect();
        let boxes = self.refined(picture, boxes)?;
        let mut faces = self.faces(picture, &boxes)?;
        faces.sort_by_key(|face| Reverse(OrderedArea(face.bounds.area())));
        Ok(faces)
    }

    /// The second look.
    fn refined(&self, picture: &Rgb, boxes: Vec<Bounds>) -> Result<Vec<Bounds>, Error> {
        let said = looks(picture, &boxes, RefineNet::SIDE, |windows| {
            self.refine.forward(windows)
        })?;
        let sure = said
            .into_iter()
            .filter(|(_, said)| said.probability > self.config.thresholds[1]);
        let (boxes, said): (Vec<_>, Vec<_>) = sure.unzip();
        let scores: Vec<_> = said.iter().map(|said| said.probability).collect();
        let kept = keep_best(&boxes, &scores, 0.7, Overlap::Union);
        let moved = |place: usize| moved_by_pixels(&boxes[place], said[place].moves).squared();
        Ok(kept.into_iter().map(moved).collect())
    }

    /// The third look.
    fn faces(&self, picture: &Rgb, boxes: &[Bounds]) -> Result<Vec<Face>, Error> {
        let said = looks(picture, boxes, OutputNet::SIDE, |windows| {
            self.output.forward(windows)
        })?;
        let face = |(window, (said, landmarks)): (Bounds, (crate::nets::Said, Vec<f32>))| Face {
            bounds: moved_by_pixels(&window, said.moves),
            probability: said.probability,
            landmarks: [0, 1, 2, 3, 4].map(|i| Point {
                x: (window.width() + 1.0) * landmarks[i] + window.left - 1.0,
                y: (window.height() + 1.0) * landmarks[i + 5] + window.top - 1.0,
            }),
        };
        let sure = said
            .into_iter()
            .filter(|(_, (said, _))| said.probability > self.config.thresholds[2]);
        let faces: Vec<Face> = sure.map(face).collect();
        let boxes: Vec<_> = faces.iter().map(|face| face.bounds).collect();
        let scores: Vec<_> = faces.iter().map(|face| face.probability).collect();
        let kept = keep_best(&boxes, &scores, 0.7, Overlap::Smaller);
        Ok(kept.into_iter().map(|place| faces[place].clone()).collect())
    }
}

/// Areas in order; there is no NaN among them that matters.
#[derive(PartialEq)]
struct OrderedArea(f32);

impl Eq for OrderedArea {}

impl PartialOrd for OrderedArea {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedArea {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Moved by parts of the box's size, whose edges are pixels that have a width.
fn moved_by_pixels(bounds: &Bounds, moves: [f32; 4]) -> Bounds {
    bounds.moved(moves, (bounds.width() + 1.0, bounds.height() + 1.0))
}

/// What a net says of each box that lies in the picture, resized to `side` pixels.
fn looks<T>(
    picture: &Rgb,
    boxes: &[Bounds],
    side: usize,
    net: impl Fn(&candle_core::Tensor) -> CandleResult<Vec<T>>,
) -> Result<Vec<(Bounds, T)>, Error> {
    let visible = boxes.iter().filter_map(|b| Some((*b, within(picture, b)?)));
    let (boxes, parts): (Vec<_>, Vec<_>) = visible.unzip();
    let mut said = Vec::with_capacity(parts.len());
    for parts in parts.chunks(BATCH) {
        said.extend(net(&squares(picture, parts, side)?)?);
    }
    Ok(boxes.into_iter().zip(said).collect())
}

/// The pixels of a box that are in the picture; the reference counts them from 1.
fn within(picture: &Rgb, bounds: &Bounds) -> Option<Part> {
    let part = |from: f32, to: f32, side: usize| {
        let first = (from.trunc() as i64).max(1) as usize - 1;
        let last = (to.trunc() as i64).clamp(0, side as i64) as usize;
        (first < last).then_some((first, last))
    };
    Some(Part {
        rows: part(bounds.top, bounds.bottom, picture.height())?,
        columns: part(bounds.left, bounds.right, picture.width())?,
    })
}
