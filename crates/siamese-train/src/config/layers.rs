//! Layers of a configuration: what is chosen from the data, a preset, a file, `--set`; each over the one before.

use std::collections::BTreeMap;
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
#[derive(Debug, Clone, Default)]
pub struct Layer {
    table: Table,
    /// Where values were written that come from a file, by their dotted keys.
    places: BTreeMap<String, String>,
}

impl PartialEq for Layer {
    /// Whether both say the same, wherever it was written.
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table
    }
}

impl From<Table> for Layer {
    fn from(table: Table) -> Self {
        Self {
            table,
            places: BTreeMap::new(),
        }
    }
}

impl Layer {
    /// A layer from TOML; `whose` names it in errors.
    ///
    /// # Errors
    /// When the text is no TOML; the message has line and column.
    pub fn parse(text: &str, whose: &str) -> Result<Self> {
        let table = text
            .parse::<Table>()
            .map_err(|e| anyhow!("{whose} is no TOML: {e}"))?;
        let lines = lines_of(text);
        let places = lines.map(|(key, line)| (key, format!("{whose}:{line}")));
        Ok(Self {
            table,
            places: places.collect(),
        })
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
        let mut layer = Self::of(&without_nulls(config.clone())).with_context(reading)?;
        let place = path.display().to_string();
        let text = layer.to_toml()?;
        let keys = lines_of(&text).map(|(key, _)| (key, place.clone()));
        layer.places = keys.collect();
        Ok(layer)
    }

    /// A layer from anything that serialises to a table.
    ///
    /// # Errors
    /// When it does not.
    pub fn of(value: &impl serde::Serialize) -> Result<Self> {
        Ok(Table::try_from(value)?.into())
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
        self.places.remove(key);
        let mut table = &mut self.table;
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
        self.table.remove(key);
        let inside = format!("{key}.");
        self.places
            .retain(|place, _| place != key && !place.starts_with(&inside));
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
        Ok(toml::to_string_pretty(&self.table)?)
    }

    /// Whether every number with a fraction is one that a network can be trained with.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub(crate) fn check_numbers(&self) -> Result<()> {
        check_numbers("", &Value::Table(self.table.clone()))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let mut value = self.table.get(parts.next()?)?;
        for part in parts {
            value = value.as_table()?.get(part)?;
        }
        Some(value)
    }

    /// This layer with `upper` over it: tables are merged, all else is replaced. A table whose `kind` changes is
    /// replaced whole, since what belonged to the old kind means nothing to the new one.
    #[must_use]
    pub fn under(mut self, upper: &Self) -> Self {
        merge(&mut self.table, &upper.table);
        self.places.retain(|key, _| upper.get(key).is_none());
        let places = upper.places.iter();
        self.places
            .extend(places.map(|(key, place)| (key.clone(), place.clone())));
        self
    }

    /// Reads the layer as what it configures.
    ///
    /// # Errors
    /// For an unknown key or an impossible value: names where it is and, for a misspelt name, the nearest right one.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T> {
        let value = Value::Table(self.table.clone());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            let message = message.trim();
            let key = if path == "." { "configuration" } else { &path };
            let meant = nearest(message);
            let meant = meant.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
            let error = anyhow!("{key}: {message}{meant}");
            let unknown = message.split('`').nth(1).unwrap_or_default();
            let within = format!("{path}.{unknown}");
            match [&within, &path, unknown]
                .into_iter()
                .find_map(|key| self.places.get(key))
            {
                Some(place) => error.context(place.clone()),
                None => error,
            }
        })
    }

    /// Names the file and the line of the key that an error begins with, if it came from a file.
    pub(crate) fn placed(&self, error: anyhow::Error) -> anyhow::Error {
        let said = format!("{error:#}");
        let key = said.split([' ', ':', ',']).next().unwrap_or_default();
        match self.places.get(key) {
            Some(place) => error.context(place.clone()),
            None => error,
        }
    }
}

/// The line of each key of a TOML text, from 1; keys of tables within tables are dotted.
fn lines_of(text: &str) -> impl Iterator<Item = (String, usize)> {
    fn collect(table: &toml::de::DeTable, above: &str, found: &mut Vec<(String, usize)>) {
        for (key, value) in table {
            let dotted = match above {
                "" => key.get_ref().to_string(),
                above => format!("{above}.{}", key.get_ref()),
            };
            if let toml::de::DeValue::Table(inner) = value.get_ref() {
                collect(inner, &dotted, found);
            }
            found.push((dotted, key.span().start));
        }
    }
    let mut found = Vec::new();
    if let Ok(table) = toml::de::DeTable::parse(text) {
        collect(table.get_ref(), "", &mut found);
    }
    let line = |at: usize| 1 + text[..at].matches('\n').count();
    found.into_iter().map(move |(key, at)| (key, line(at)))
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
        let error = format!("{error:#}");
        assert!(error.contains("did you mean \"margin\"?"), "{error}");
        let error = layer("margin = 'wide'").read_as::<Settings>().unwrap_err();
        assert!(format!("{error:#}").contains(":1: margin: "), "{error:#}");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Objective {
            margin: f64,
        }
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Settings {
            seed: u64,
            objective: Objective,
        }
        let told = |layer: &Layer| format!("{:#}", layer.read_as::<Settings>().unwrap_err());
        let file = |text: &str| Layer::parse(text, "run.toml").unwrap();
        let below = layer("seed = 1\n[objective]\nmargin = 1.0");
        let misspelt = below
            .clone()
            .under(&file("seed = 2\n\n[objective]\nmargn = 3.0"));
        assert!(
            told(&misspelt).starts_with("run.toml:4: objective"),
            "{}",
            told(&misspelt)
        );
        let mut wrong = below.under(&file("[objective]\nmargin = 'wide'"));
        assert!(
            told(&wrong).starts_with("run.toml:2: objective.margin: "),
            "{}",
            told(&wrong)
        );
        // what is set over it is not the file's
        wrong.set("objective.margin", "'narrow'").unwrap();
        assert!(
            told(&wrong).starts_with("objective.margin: "),
            "{}",
            told(&wrong)
        );
        let placed = file("epochs = 0").placed(anyhow!("epochs must be at least 1"));
        assert_eq!(
            format!("{placed:#}"),
            "run.toml:1: epochs must be at least 1"
        );
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
