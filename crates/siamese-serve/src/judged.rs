//! What a run's folder tells of its model beside the model file: what other thresholds would have cost.

use std::path::Path;

use serde::{Deserialize, Serialize};
use siamese_core::metrics::verification::RocPoint;
use utoipa::ToSchema;

/// How the model was judged at the end of its run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct ResultFile {
    #[serde(default)]
    roc: Vec<RocPoint>,
    #[serde(default)]
    test_pairs: usize,
}

/// Operating points of a model on its test pairs, by rising threshold.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Judged {
    /// Pairs of test images.
    pairs: usize,
    points: Vec<OperatingPoint>,
}

/// What a threshold would have cost.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct OperatingPoint {
    threshold: f32,
    /// The share of unlike pairs called the same.
    far: f64,
    /// The share of like pairs called different.
    frr: f64,
}

impl Judged {
    /// What `result.json` beside the model at `place` says; `None` where there is none that says it.
    pub(crate) fn beside(place: &str) -> Option<Self> {
        let place = Path::new(place);
        let folder = match place.is_dir() {
            true => place,
            false => place
                .parent()
                .filter(|_| place.ends_with("best.safetensors"))?,
        };
        let text = std::fs::read_to_string(folder.join("result.json")).ok()?;
        let ResultFile { roc, test_pairs } = serde_json::from_str(&text).ok()?;
        let point = |point: &RocPoint| OperatingPoint {
            threshold: point.threshold,
            far: point.far,
            frr: 1.0 - point.tar,
        };
        (roc.len() > 1).then(|| Self {
            pairs: test_pairs,
            points: roc.iter().map(point).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_folder_tells_what_thresholds_cost_and_others_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            std::fs::write(folder.path().join("result.json"), text).unwrap();
            Judged::beside(&folder.path().to_string_lossy())
        };
        assert_eq!(told("{}"), None);
        assert_eq!(told("no JSON"), None);
        let judged = told(
            r#"{"test_pairs": 9, "threshold": 0.4,
                "roc": [{"threshold": 0.1, "far": 0.0, "tar": 0.25}, {"threshold": 0.5, "far": 0.5, "tar": 1.0}]}"#,
        );
        let points = judged.unwrap().points;
        assert_eq!((points[0].frr, points[1].far), (0.75, 0.5));
        let model = folder.path().join("mine.safetensors");
        assert_eq!(Judged::beside(&model.to_string_lossy()), None);
    }
}
