//! What stands beside the graph: all that the use of a model needs and a graph cannot say.

use serde_json::{Value, json};
use siamese_core::Model;

use crate::error::Result;
use crate::proto::StringStringEntryProto;

/// As keys and values, each of which is text or JSON.
pub(crate) fn of(model: &Model) -> Result<Vec<StringStringEntryProto>> {
    let input = &model.tower.config().input;
    let threshold = model.threshold.as_ref();
    let told: [(&str, Value); 9] = [
        ("siamese.height", input.height.into()),
        ("siamese.width", input.width.into()),
        (
            "siamese.colour",
            json!(if input.channels() == 1 { "grey" } else { "rgb" }),
        ),
        ("siamese.fit", serde_json::to_value(input.fit)?),
        (
            "siamese.distance",
            match model.head {
                Some(_) => json!("learned"),
                None => serde_json::to_value(model.distance)?,
            },
        ),
        (
            "siamese.threshold",
            json!(threshold.map(|threshold| threshold.value)),
        ),
        (
            "siamese.calibration",
            serde_json::to_value(threshold.and_then(|threshold| threshold.calibration.as_ref()))?,
        ),
        ("siamese.trained_on", json!(model.provenance.trained_on)),
        ("siamese.data", json!(model.provenance.data)),
    ];
    let told = told.into_iter().filter(|(_, value)| !value.is_null());
    Ok(told.map(|(key, value)| entry(key, value)).collect())
}

fn entry(key: &str, value: Value) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.to_string(),
        value: match value {
            Value::String(text) => text,
            other => other.to_string(),
        },
    }
}
