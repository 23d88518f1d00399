//! Several examples of a class.

/// How several examples of a class count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Together {
    /// A class is as far as the nearest of its examples.
    #[default]
    Nearest,
    /// A class is as far as its examples are on average.
    Mean,
}
