//! How faces were cut out of photos, where a model is of faces.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the faces that a model was trained on were found in photos and cut out of them, so that others are cut alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaceCrop {
    /// Side of the square crops, in pixels.
    pub side: usize,
    /// What is seen around the face, on each side, as a part of the face's side.
    pub margin: f64,
    /// Where eyes and mouth lie in a crop.
    pub align: FaceAlign,
    /// Whether the crops are grey.
    pub grey: bool,
    /// The smallest face that is looked for, in pixels.
    pub min_face: f32,
    /// Whether a photo that shows no face is tried turned by quarters.
    pub turn: bool,
}

/// Where eyes and mouth lie in a crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceAlign {
    /// In the same places in each: the face is turned and scaled.
    #[default]
    Landmarks,
    /// Where they happen to lie in the square around the face.
    Box,
}

impl Default for FaceCrop {
    /// 112 pixels by landmarks, without a margin, of faces of 20 pixels and more.
    fn default() -> Self {
        Self {
            side: 112,
            margin: 0.0,
            align: FaceAlign::default(),
            grey: false,
            min_face: 20.0,
            turn: false,
        }
    }
}

impl FaceCrop {
    /// Whether every setting is in range.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("faces.side", self.side as f64, 8.0, 4096.0),
            ("faces.margin", self.margin, 0.0, 2.0),
            ("faces.min_face", f64::from(self.min_face), 12.0, 1e6),
        ];
        for (field, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                let why = format!("must lie between {low} and {high}, got {value}");
                return Err(Error::Invalid { field, why });
            }
        }
        Ok(())
    }
}

impl fmt::Display for FaceCrop {
    /// In a clause: `faces of 112×112 pixels, aligned by eyes and mouth`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = self.side;
        let grey = if self.grey { "grey " } else { "" };
        let how = match self.align {
            FaceAlign::Landmarks => "aligned by eyes and mouth",
            FaceAlign::Box => "as they lie",
        };
        write!(f, "{grey}faces of {side}×{side} pixels, {how}")?;
        match self.margin {
            0.0 => Ok(()),
            margin => write!(f, ", with a margin of {margin}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_by_name_and_what_is_not_said_is_usual() {
        let read = |json: &str| serde_json::from_str::<FaceCrop>(json);
        let crop = read(r#"{"side": 96, "align": "box"}"#).unwrap();
        assert_eq!(
            (crop.side, crop.align, crop.min_face),
            (96, FaceAlign::Box, 20.0)
        );
        crop.validate().unwrap();
        for (json, field) in [
            (r#"{"side": 4}"#, "faces.side"),
            (r#"{"margin": -0.1}"#, "faces.margin"),
            (r#"{"min_face": 3}"#, "faces.min_face"),
        ] {
            let error = read(json).unwrap().validate().unwrap_err().to_string();
            assert!(error.contains(field), "{json}: {error}");
        }
        assert!(
            read(r#"{"size": 9}"#)
                .unwrap_err()
                .to_string()
                .contains("size")
        );
    }
}
