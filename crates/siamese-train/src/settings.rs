//! What a run was trained with: the settings that its past depends on, so that it goes on with no others.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::TrainConfig;

/// What may be another one when a run goes on: how long it goes on, what is done at steps that it had none of yet, and
/// where its images lie (they have a fingerprint).
const FREE: [&str; 4] = ["epochs", "stopping.patience", "on_nan", "data.source"];
/// The images, among the settings.
const IMAGES: &str = "the images' fingerprint";
/// Differences that are told.
const TOLD: usize = 3;

/// Settings by their dotted keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// What a run of this configuration on images of this fingerprint depends on.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub(crate) fn new(config: &TrainConfig, fingerprint: &str) -> Result<Self> {
        let mut settings = BTreeMap::from([(IMAGES.to_string(), fingerprint.into())]);
        flatten("", serde_json::to_value(config)?, &mut settings);
        settings.retain(|key, _| !FREE.contains(&key.as_str()));
        Ok(Self(settings))
    }

    /// What differs between these, which the run was trained with so far, and those that it is to go on with.
    pub(crate) fn differences(&self, now: &Self) -> Option<String> {
        let keys: BTreeMap<_, _> = self.0.iter().chain(&now.0).collect();
        let said = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
        let differ = |key: &&String| self.0.get(*key) != now.0.get(*key);
        let differences: Vec<String> = keys
            .into_keys()
            .filter(differ)
            .map(|key| {
                let (was, is) = (said(self.0.get(key)), said(now.0.get(key)));
                format!("{key} is {is}, and was {was}")
            })
            .collect();
        if differences.is_empty() {
            return None;
        }
        let more = match differences.len().saturating_sub(TOLD) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let told = differences[..differences.len().min(TOLD)].join("; ");
        Some(format!("{told}{more}"))
    }
}

fn flatten(key: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    let Value::Object(fields) = value else {
        into.insert(key.to_string(), value);
        return;
    };
    for (name, value) in fields {
        let key = match key {
            "" => name,
            _ => format!("{key}.{name}"),
        };
        flatten(&key, value, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_settings_are_named_and_those_that_may_change_are_not() -> Result<()> {
        let config = TrainConfig::preset("default")?;
        let before = Settings::new(&config, "1f")?;
        let stored = serde_json::to_string(&before)?;
        let before: Settings = serde_json::from_str(&stored)?;
        let mut longer = config.clone();
        longer.epochs += 10;
        longer.stopping.patience += 1;
        longer.data.source = "elsewhere".into();
        assert_eq!(before.differences(&Settings::new(&longer, "1f")?), None);

        let mut other = config;
        other.seed += 1;
        other.clip_norm = Some(0.125);
        let error = before.differences(&Settings::new(&other, "2f")?);
        let error = error.unwrap_or_default();
        for named in ["seed is 1, and was 0", "clip_norm is 0.125", IMAGES] {
            assert!(error.contains(named), "{error}");
        }
        Ok(())
    }
}
