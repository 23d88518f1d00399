//! Charts as inline SVG: pure functions from data to a string.
//!
//! Colours and fonts come from the page's style sheet through class names ([`Tone`]), so that one
//! SVG serves light, dark and paper. Whatever the data (empty, one point, constant, NaN), the SVG
//! holds finite numbers only, and says in words what could not be drawn.

mod frame;
mod heat_map;
mod histogram;
mod line;
mod scale;
mod scatter;

pub use heat_map::{HeatCell, HeatGroup, HeatMap, heat_map};
pub use histogram::{Sample, histogram};
pub use line::{Mark, Series, line};
pub use scale::{Axis, Scale};
pub use scatter::{MapPoint, Picture, ScatterMap, scatter_map};

/// A colour by its role; the style sheet says which one it is in light and dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Text colour.
    Ink,
    /// What stands back: references, training beside validation.
    Muted,
    /// One of eight colours that are told apart by colour-blind readers; wraps around.
    Colour(usize),
}

impl Tone {
    /// Like pairs.
    pub const LIKE: Self = Self::Colour(0);
    /// Unlike pairs.
    pub const UNLIKE: Self = Self::Colour(1);

    /// Name of the CSS class.
    pub fn class(self) -> String {
        match self {
            Self::Ink => "ink".into(),
            Self::Muted => "muted".into(),
            Self::Colour(number) => format!("c{}", number % 8),
        }
    }
}

/// What every chart with two axes needs.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// What the chart shows, for readers who do not see it.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Width in pixels at natural size.
    pub width: f64,
    /// Height in pixels at natural size.
    pub height: f64,
}

impl Canvas {
    /// A chart of the size that small multiples have.
    pub fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            width: 360.0,
            height: 230.0,
        }
    }

    /// The same with another size.
    pub fn sized(self, width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
