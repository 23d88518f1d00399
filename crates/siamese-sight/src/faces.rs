//! Faces found in photos and cut out of them, as a model of faces wants them.

use siamese_core::{FaceAlign, FaceCrop};
use siamese_faces::{Alignment, Detector, DetectorConfig, Face, Rgb};
use siamese_framing::{Colour, Picture};

use crate::error::Error;

/// Finds faces and cuts them out.
pub struct FaceFinder {
    crop: FaceCrop,
    detector: Detector,
}

/// A face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenFace {
    /// Where it is, in pixels of the picture, upright.
    pub face: Face,
    /// Which it is, the largest being 0.
    pub number: usize,
    /// How many there are in the picture.
    pub of: usize,
}

impl FaceFinder {
    /// One that cuts faces so.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn new(crop: FaceCrop) -> Result<Self, Error> {
        crop.validate()?;
        let config = DetectorConfig {
            min_face: crop.min_face,
            turn: crop.turn,
            ..DetectorConfig::default()
        };
        let detector = Detector::with_config(config)?;
        Ok(Self { crop, detector })
    }

    /// How faces are cut out.
    pub fn crop(&self) -> &FaceCrop {
        &self.crop
    }

    /// Whether a picture has the very size of a crop: it is taken for one, and no face is looked for in it.
    pub fn is_crop(&self, picture: &Picture) -> bool {
        (picture.height(), picture.width()) == (self.crop.side, self.crop.side)
    }

    /// The faces in a picture, the largest first, and by how many quarters it had to be turned for them to be upright.
    ///
    /// # Errors
    /// When the nets fail, as for lack of memory.
    pub fn find(&self, picture: &Rgb) -> Result<(Vec<Face>, u8), Error> {
        Ok(self.detector.detect_turned(picture)?)
    }

    /// Up to `most` of a picture's faces, cut out, the largest first.
    pub(crate) fn cut(
        &self,
        picture: &Picture,
        most: usize,
    ) -> Result<Vec<(SeenFace, Picture)>, Error> {
        let pixels = picture.pixels(Colour::Rgb);
        let picture = Rgb::new(picture.height(), picture.width(), &pixels)?;
        let (faces, _) = self.find(&picture)?;
        let of = faces.len();
        let cut = |(number, face)| {
            let crop = self.cut_out(&picture, &face);
            (SeenFace { face, number, of }, crop)
        };
        Ok(faces.into_iter().enumerate().take(most).map(cut).collect())
    }

    /// A face, cut out of its picture.
    ///
    /// # Panics
    /// Never: a crop has as many bytes as its size says.
    pub fn cut_out(&self, picture: &Rgb, face: &Face) -> Picture {
        let side = self.crop.side;
        let alignment = Alignment {
            side,
            margin: self.crop.margin,
            landmarks: self.crop.align == FaceAlign::Landmarks,
        };
        let pixels = alignment.crop(picture, face);
        let crop = Picture::of_pixels((side, side, 3), pixels);
        let crop = crop.expect("a crop has as many bytes as its size says");
        match self.crop.grey {
            true => grey(&crop),
            false => crop,
        }
    }
}

fn grey(picture: &Picture) -> Picture {
    let pixels = picture.pixels(Colour::Grey);
    let shape = (picture.height(), picture.width(), 1);
    Picture::of_pixels(shape, pixels).expect("a grey picture has a byte a pixel")
}
