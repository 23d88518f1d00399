//! Layers of a configuration: what is chosen from the data, a preset, a file, `--set`; each over the one before.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use siamese_data::read_text;
use toml::{Table, Value};

/// The key whose value decides what else a table may hold (`objective.kind`, `tower.body.kind`, …).
const KIND: &str = "kind";

/// No margin, rate or scale of use is larger, and the squares of much larger ones are no numbers in f32.
const LARGEST: f64 = 1e6;

/// A part of a configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer(pub(crate) Table);

impl Layer {
    /// A layer from TOML; `whose` names it in errors.
    ///
    /// # Errors
    /// When the text is no TOML; the message has line and column.
    pub fn parse(text: &str, whose: &str) -> Result<Self> {
        let table = text
            .parse::<Table>()
            .map_err(|e| anyhow!("{whose} is no TOML: {e}"))?;
        Ok(Self(table))
    }

    /// A layer from a TOML file, or from the `config.json` of a run.
    ///
    /// # Errors
    /// When the file cannot be read or holds neither.
    pub fn read(path: &Path) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let text = read_text(path)?;
        if !text.trim_start().starts_with('{') {
            return Self::parse(&text, &path.display().to_string());
        }
        let json: serde_json::Value = serde_json::from_str(&text).with_context(reading)?;
        let config = json.get("config").unwrap_or(&json);
        Self::of(&without_nulls(config.clone())).with_context(reading)
    }

    /// A layer from anything that serialises to a table.
    ///
    /// # Errors
    /// When it does not.
    pub fn of(value: &impl serde::Serialize) -> Result<Self> {
        Ok(Self(Table::try_from(value)?))
    }

    /// Sets one value by its dotted key, as `--set objective.margin=0.3` does. The value is TOML; what is none is text.
    ///
    /// # Errors
    /// When the key is empty or leads through something that is no table.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let value = format!("value = {value}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.to_string()));
        let mut parts: Vec<&str> = key.split('.').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            bail!("a setting is KEY=VALUE with a key such as objective.margin, got {key:?}")
        }
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut self.0;
        for part in parts {
            let inner = table
                .entry(part)
                .or_insert_with(|| Value::Table(Table::new()));
            table = inner
                .as_table_mut()
                .with_context(|| format!("{key}: {part} is a value and has no settings in it"))?;
        }
        table.insert(last.to_string(), value);
        Ok(())
    }

    /// Takes a setting of the topmost table out.
    pub(crate) fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Whether the layer says something about a dotted key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text under a dotted key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The value under a dotted key, if there is one.
    ///
    /// # Errors
    /// When it is none of what it should be; the message names the key.
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let value = self.get(key).cloned();
        let read = |value: Value| {
            value
                .try_into()
                .map_err(|e: toml::de::Error| anyhow!("{key}: {}", e.message()))
        };
        value.map(read).transpose()
    }

    /// The layer as TOML.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(&self.0)?)
    }

    /// Whether every number with a fraction is one that a network can be trained with.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub(crate) fn check_numbers(&self) -> Result<()> {
        check_numbers("", &Value::Table(self.0.clone()))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let mut value = self.0.get(parts.next()?)?;
        for part in parts {
            value = value.as_table()?.get(part)?;
        }
        Some(value)
    }

    /// This layer with `upper` over it: tables are merged, all else is replaced. A table whose `kind` changes is
    /// replaced whole, since what belonged to the old kind means nothing to the new one.
    #[must_use]
    pub fn under(mut self, upper: &Self) -> Self {
        merge(&mut self.0, &upper.0);
        self
    }

    /// Reads the layer as what it configures.
    ///
    /// # Errors
    /// For an unknown key or an impossible value: names where it is and, for a misspelt name, the nearest right one.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T> {
        let value = Value::Table(self.0.clone());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            let message = message.trim();
            let place = if path == "." { "configuration" } else { &path };
            match nearest(message) {
                Some(name) => anyhow!("{place}: {message}; did you mean {name:?}?"),
                None => anyhow!("{place}: {message}"),
            }
        })
    }
}

fn check_numbers(key: &str, value: &Value) -> Result<()> {
    match value {
        Value::Float(number) if number.is_nan() || number.abs() > LARGEST => {
            bail!("{key} must be a number of at most {LARGEST}, got {number:?}")
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| check_numbers(key, value)),
        Value::Table(table) => table.iter().try_for_each(|(name, value)| match key {
            "" => check_numbers(name, value),
            _ => check_numbers(&format!("{key}.{name}"), value),
        }),
        _ => Ok(()),
    }
}

fn merge(lower: &mut Table, upper: &Table) {
    let other_kind = |lower: &Table, upper: &Table| match (lower.get(KIND), upper.get(KIND)) {
        (Some(old), Some(new)) => old != new,
        _ => false,
    };
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if !other_kind(below, above) => {
                merge(below, above);
            }
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

/// JSON's nulls left out: TOML has none, and a missing key means the same.
fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Json::Array(values) => Json::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// The expected name that is most like the unknown one, from a message of serde's such as
/// ``unknown field `margn`, expected one of `margin`, `pairs` ``.
fn nearest(message: &str) -> Option<&str> {
    if !message.starts_with("unknown") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Layer {
        Layer::parse(text, "the test").unwrap()
    }

    #[test]
    fn an_upper_layer_wins_value_by_value() {
        let merged = layer("seed = 1\n[stopping]\npatience = 7\nmin_delta = 0.1")
            .under(&layer("[stopping]\npatience = 9"));
        assert_eq!(
            merged,
            layer("seed = 1\n[stopping]\npatience = 9\nmin_delta = 0.1")
        );
    }

    #[test]
    fn another_kind_takes_nothing_over_from_the_old_one() {
        let contrastive =
            layer("[objective]\nkind = 'contrastive'\npairs = 'sampled'\nmargin = 2.0");
        let triplet = layer("[objective]\nkind = 'triplet'");
        assert_eq!(contrastive.clone().under(&triplet), triplet);
        let margin = layer("[objective]\nmargin = 1.0");
        assert!(contrastive.under(&margin).has("objective.pairs"));
    }

    #[test]
    fn settings_are_toml_and_otherwise_text() {
        let mut set = Layer::default();
        for (key, value) in [
            ("objective.margin", "0.3"),
            ("distance", "cosine"),
            ("data.split.by", "\"classes\""),
            ("tower.input.mean", "[0.5]"),
        ] {
            set.set(key, value).unwrap();
        }
        let expected = "distance = 'cosine'\nobjective.margin = 0.3\ndata.split.by = 'classes'\ntower.input.mean = [0.5]";
        assert_eq!(set, layer(expected));
        assert!(set.set("distance.of", "1").is_err());
        assert!(set.set("", "1").is_err());
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_right_one() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            #[allow(dead_code)]
            margin: f64,
        }
        let error = layer("margn = 1.0").read_as::<Settings>().unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"margin\"?"),
            "{error}"
        );
        let error = layer("margin = 'wide'").read_as::<Settings>().unwrap_err();
        assert!(error.to_string().starts_with("margin: "), "{error}");
    }

    #[test]
    fn json_and_toml_files_are_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let (json, toml) = (folder.path().join("a.json"), folder.path().join("b.toml"));
        std::fs::write(&json, r#"{"config": {"seed": 3, "clip_norm": null}}"#).unwrap();
        std::fs::write(&toml, "seed = 3\n").unwrap();
        assert_eq!(Layer::read(&json).unwrap(), Layer::read(&toml).unwrap());
        std::fs::write(&toml, "seed = = 3\n").unwrap();
        let error = format!("{:#}", Layer::read(&toml).unwrap_err());
        assert!(
            error.contains("b.toml") && error.contains("line 1"),
            "{error}"
        );
    }
}
