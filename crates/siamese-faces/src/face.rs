//! A face that was found.

use serde::Serialize;

use crate::bounds::Bounds;

/// A place in a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// A face that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Face {
    /// Where it is; it may reach beyond the picture's edge.
    pub bounds: Bounds,
    /// How sure the last of the three nets is that this is a face.
    pub probability: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, as one who looks at the picture sees them.
    pub landmarks: [Point; 5],
}

impl Face {
    /// How far the line of the eyes is turned from level, in degrees, clockwise.
    pub fn roll(&self) -> f32 {
        let [left, right, ..] = self.landmarks;
        (right.y - left.y).atan2(right.x - left.x).to_degrees()
    }

    /// How far the nose lies beside the middle of the eyes, in distances of the eyes: 0 from the front, beyond about
    /// 0.4 the face looks to one side.
    pub fn aside(&self) -> f32 {
        let [left, right, nose, ..] = self.landmarks;
        let (dx, dy) = (right.x - left.x, right.y - left.y);
        let between = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
        let middle = ((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
        ((nose.x - middle.0) * dx + (nose.y - middle.1) * dy) / between
    }
}
