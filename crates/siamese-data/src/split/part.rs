//! The parts of a data set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// To train on.
    Train,
    /// To choose epoch and threshold by.
    Validation,
    /// To be looked at once, at the end; of unseen classes where the set is divided by classes.
    Test,
    /// Held-out images of the classes trained on, where the test images are of unseen classes.
    SeenTest,
    /// For nothing: what would leak from one part into another.
    LeftOut,
}

impl Part {
    /// All parts, in their order.
    pub const ALL: [Self; 5] = [
        Self::Train,
        Self::Validation,
        Self::Test,
        Self::SeenTest,
        Self::LeftOut,
    ];

    /// Its name, as files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::SeenTest => "seen_test",
            Self::LeftOut => "left_out",
        }
    }

    /// The part that this word names, in any case and in the field's usual abbreviations.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "training" => Some(Self::Train),
            "val" | "valid" | "dev" => Some(Self::Validation),
            "testing" => Some(Self::Test),
            word => Self::ALL.into_iter().find(|part| part.name() == word),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
