//! Loud words at the top of a report.

use serde::{Deserialize, Serialize};

/// How loud a [`Banner`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// The numbers below do not mean what they seem to.
    #[default]
    Warning,
    /// The run failed at its purpose.
    Alarm,
}

/// A boxed message before everything else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Banner {
    /// How loud.
    pub level: Level,
    /// A few words.
    pub title: String,
    /// A sentence or two: what it means and what to do.
    pub text: String,
}

impl Banner {
    /// The model saw only the sample that comes with the sources.
    pub fn bundled_sample() -> Self {
        Self {
            level: Level::Warning,
            title: "Trained on the bundled sample".into(),
            text: "Only the small sample that comes with the sources was used: these figures show \
                   that the path works, not how good the method is. Fetch the whole data set and \
                   train again before quoting any of them."
                .into(),
        }
    }

    /// The embedding collapsed; `reason` says what was seen.
    pub fn collapse(epoch: usize, reason: &str) -> Self {
        Self {
            level: Level::Alarm,
            title: format!("Collapse: seen in epoch {epoch}"),
            text: format!(
                "{reason} All images then get nearly the same embedding, and no threshold can tell \
                 like from unlike pairs."
            ),
        }
    }

    /// The run was stopped by hand after `epoch`; `resume` is the command that goes on.
    pub fn interrupted(epoch: usize, resume: &str) -> Self {
        Self {
            level: Level::Warning,
            title: format!("Interrupted in epoch {epoch}"),
            text: format!("The training is not finished. Go on with: {resume}"),
        }
    }
}
