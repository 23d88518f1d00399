//! One picture of a gallery.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// One picture of a gallery: its embedding, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Of whom or what it is.
    pub class: String,
    /// What it is called.
    pub name: String,
    /// The file that it was read from, to embed it again.
    pub source: Option<String>,
    /// SHA-256 of that file's bytes: no two entries have the same.
    pub hash: Option<String>,
    /// When it was added, in seconds since 1970.
    pub time: i64,
    /// Anything else, as JSON.
    pub data: Value,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// (D)
    pub embedding: Vec<f32>,
}

/// An entry with the number that it has in its gallery.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Never given to another.
    pub id: i64,
    /// The entry.
    pub entry: Entry,
}

/// What became of an entry that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is in the gallery and on the disk, by this number.
    New(i64),
    /// The same picture is there already.
    Known {
        /// By this number.
        id: i64,
        /// Under this class.
        class: String,
        /// And this name.
        name: String,
    },
}

/// Which entries: those of which all holds that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this class.
    pub class: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// Of this number.
    pub id: Option<i64>,
    /// Whose free JSON has these texts, numbers or truths at its top, as they are written.
    pub data: Vec<(String, String)>,
}

impl Filter {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// What `class=…`, `name=…`, `id=…` or `KEY=…` (of the free JSON) says, all of them together.
    ///
    /// ```
    /// let filter = siamese_gallery::Filter::parse(&["class=anna", "year=2024"])?;
    /// assert_eq!(filter.class.as_deref(), Some("anna"));
    /// assert_eq!(filter.data, [("year".into(), "2024".into())]);
    /// # Ok::<(), siamese_gallery::Error>(())
    /// ```
    ///
    /// # Errors
    /// Text without `=`; a key said twice.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self> {
        let mut filter = Self::default();
        for word in words {
            let word = word.as_ref();
            let wrong = |why: &str| Error::Invalid(format!("{word:?}: {why}"));
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| wrong("write class=NAME, name=NAME, id=NUMBER or KEY=VALUE"))?;
            let twice = match key {
                "class" => filter.class.replace(value.into()).is_some(),
                "name" => filter.name.replace(value.into()).is_some(),
                "id" => {
                    let id = value
                        .parse()
                        .map_err(|_| wrong("an id is a whole number"))?;
                    filter.id.replace(id).is_some()
                }
                _ => {
                    let twice = filter.data.iter().any(|(known, _)| known == key);
                    filter.data.push((key.into(), value.into()));
                    twice
                }
            };
            if twice {
                return Err(wrong("its key is given twice"));
            }
        }
        Ok(filter)
    }

    /// Whether it takes an entry of this number, class and name, whatever its data.
    pub(crate) fn takes(&self, id: i64, class: &str, name: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&self.class, class) && is(&self.name, name) && self.id.is_none_or(|wanted| wanted == id)
    }

    /// Whether an entry is meant, by its free JSON.
    pub(crate) fn takes_data(&self, data: &Value) -> bool {
        self.data.iter().all(|(key, wanted)| match &data[key] {
            Value::String(text) => text == wanted,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
            other => wanted == &other.to_string(),
        })
    }
}

/// Numbers as they are stored: little-endian `f32`s.
pub(crate) fn bytes_of(embedding: &[f32]) -> Vec<u8> {
    embedding.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// What [`bytes_of`] stored; `None` where a number is cut.
pub(crate) fn embedding_of(bytes: &[u8]) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    let number = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
    rest.is_empty()
        .then(|| numbers.iter().map(number).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_compares_texts_numbers_and_truths_as_they_are_written() {
        let data = json!({"year": 2024, "who": "anna", "ok": true, "list": [1]});
        for (word, taken) in [
            ("year=2024", true),
            ("year=2025", false),
            ("who=anna", true),
            ("ok=true", true),
            ("list=[1]", false),
            ("none=null", false),
        ] {
            let filter = Filter::parse(&[word]).unwrap();
            assert_eq!(filter.takes_data(&data), taken, "{word}");
        }
        for (words, part) in [
            (&["anna"][..], "class=NAME"),
            (&["id=x"], "whole number"),
            (&["class=a", "class=b"], "twice"),
        ] {
            let error = Filter::parse(words).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_embedding_comes_back_to_the_bit() {
        let embedding = [0.1, -0.0, 1e-40, f32::MAX];
        let back = embedding_of(&bytes_of(&embedding)).unwrap();
        let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&embedding));
        assert_eq!(embedding_of(&[0; 7]), None);
    }
}
