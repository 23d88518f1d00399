//! Parquet files with a column of pictures and a column of classes, as the hub's data sets are.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use serde_json::Value;
use siamese_words::counted;

use super::columns::{
    GROUP_WORDS, LABEL_WORDS, SPLIT_WORDS, SUPERCLASS_WORDS, column, sorted_some,
};
use super::listing::{Item, LeftOut, Listing};
use super::names::CIFAR100;
use super::options::{Columns, OpenOptions};
use super::parquet_columns::{ParquetFile, Values, is_bytes, leaves, open, read_column, refusal};
use super::rows::{Row, Rows};
use super::shards::{by_part, each_shard};
use super::shown::shown;
use super::store::Store;
use crate::error::DataError;
use crate::picture::Looks;
use crate::split::Part;

/// Lists the pictures in the parquet files `files`, which lie in or are `place`.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if a shard is missing, a part is there twice, or a column cannot be found;
/// [`DataError::Damaged`] names a file that cannot be read.
pub(crate) fn list(
    place: &Path,
    files: &[PathBuf],
    options: &OpenOptions,
) -> Result<Listing, DataError> {
    let (parts, mut left_out) = by_part(place, files, options.missing_shards)?;
    let mut set = Set::default();
    for shards in &parts {
        left_out.extend(each_shard(
            &shards.files,
            |file| file,
            options.missing_shards,
            |_, file| set.add((place, file), shards.part, &options.columns),
        )?);
    }
    let mut listing = set.listing(place)?;
    listing.left_out.splice(..0, left_out);
    listing.finish(place)
}

/// Indices into the four texts of a row.
const LABEL: usize = 0;
const SUPERCLASS: usize = 1;
const GROUP: usize = 2;
const SPLIT: usize = 3;

/// What the files read so far hold.
#[derive(Default)]
struct Set {
    files: Vec<PathBuf>,
    columns: Vec<usize>,
    rows: Vec<Row>,
    item_names: Vec<String>,
    parts: Vec<Option<Part>>,
    texts: Vec<[Option<String>; 4]>,
    left_out: Vec<LeftOut>,
    /// Of all texts.
    bytes: usize,
    /// The names that the files' own metadata gives to numbers.
    names: [Option<Vec<String>>; 2],
    is_cifar100: bool,
}

impl Set {
    /// Adds the rows of a file, or nothing.
    fn add(
        &mut self,
        (place, path): (&Path, &Path),
        part: Option<Part>,
        asked: &Columns,
    ) -> Result<(), DataError> {
        let before = (self.rows.len(), self.left_out.len(), self.bytes);
        let added = self.add_file((place, path), part, asked);
        if added.is_err() {
            let (rows, left_out, bytes) = before;
            self.rows.truncate(rows);
            self.item_names.truncate(rows);
            self.parts.truncate(rows);
            self.texts.truncate(rows);
            self.left_out.truncate(left_out);
            self.bytes = bytes;
        }
        added
    }

    fn add_file(
        &mut self,
        (place, path): (&Path, &Path),
        part: Option<Part>,
        asked: &Columns,
    ) -> Result<(), DataError> {
        let refused = refusal(path);
        let reader = open(path)?;
        let found = Found::of(&reader, asked).map_err(|found| {
            let advice = "wanted are a column of pictures and one of classes: call them image and label, or train with \
                          --set data.columns.image=NAME --set data.columns.label=NAME";
            DataError::unrecognised(path, found, advice)
        })?;
        match self.files.first() {
            None => self.names.clone_from(&found.names),
            Some(first) if self.names != found.names => {
                let (path, first) = (path.display(), first.display());
                let found = format!("the class names of {path} are not those of {first}");
                let advice = "name the files of one set alone";
                return Err(DataError::unrecognised(place, found, advice));
            }
            Some(_) => {}
        }
        let mut before = 0;
        for number in 0..reader.num_row_groups() {
            before += self
                .add_group(path, part, (number, before), &reader, &found)
                .map_err(&refused)?;
        }
        self.is_cifar100 |= found.is_cifar100;
        self.columns.push(found.image);
        self.files.push(path.to_path_buf());
        Ok(())
    }

    /// Adds the rows of row group `number`, which come after `before` others of the file; returns how many they are.
    fn add_group(
        &mut self,
        path: &Path,
        part: Option<Part>,
        (number, before): (usize, u32),
        reader: &ParquetFile,
        found: &Found,
    ) -> Result<u32, ParquetError> {
        let count = u32::try_from(reader.rows_of(number)).unwrap_or(0);
        let mut values: [Option<Values>; 4] = [None, None, None, None];
        for (values, place) in values.iter_mut().zip(found.places) {
            *values = place
                .map(|place| read_column(reader, number, place))
                .transpose()?;
        }
        for kind in [LABEL, SUPERCLASS] {
            let broken = values[kind]
                .as_ref()
                .and_then(Values::first_with_a_fraction);
            if let (Some(value), Some(place)) = (broken, found.places[kind]) {
                let name = reader
                    .metadata()
                    .row_group(number)
                    .column(place)
                    .column_path()
                    .string();
                return Err(ParquetError::NYI(format!(
                    "column {name} holds real numbers such as {value}, which are no classes"
                )));
            }
        }
        let file = shown(path.file_name().unwrap_or_default());
        let bytes = self.bytes;
        for row in 0..count {
            let name = format!("{file}#{}", before + row);
            let text = |values: &Option<Values>| values.as_ref()?.text(row as usize);
            let texts = values.each_ref().map(text);
            self.bytes += texts.iter().flatten().map(String::len).sum::<usize>();
            reader.check_texts(self.bytes - bytes)?;
            let unnamed = self.names[LABEL].is_some() && texts[LABEL].as_deref() == Some("-1");
            if texts[LABEL].is_none() || unnamed {
                self.left_out.push(LeftOut::new(name, "without a label"));
                continue;
            }
            self.rows.push(Row {
                file: self.files.len() as u32,
                group: number as u32,
                row,
            });
            self.item_names.push(name);
            self.parts.push(part);
            self.texts.push(texts);
        }
        Ok(count)
    }

    /// What was read, as a listing.
    fn listing(self, place: &Path) -> Result<Listing, DataError> {
        let texts = |kind: usize| self.texts.iter().map(move |texts| texts[kind].as_deref());
        let (classes, labels) = self.classes(place, LABEL, sorted_some(texts(LABEL)))?;
        let (superclasses, superclass_ids) =
            self.classes(place, SUPERCLASS, sorted_some(texts(SUPERCLASS)))?;
        let (groups, group_ids) = sorted_some(texts(GROUP));
        let told = |texts: &[Option<String>; 4]| Part::of_word(texts[SPLIT].as_deref()?);
        let items = (0..self.rows.len()).map(|i| Item {
            // a row without a label is left out
            label: labels[i].unwrap_or_default(),
            superclass: superclass_ids[i],
            group: group_ids[i],
            part: told(&self.texts[i]).or(self.parts[i]),
        });
        let mut listing = Listing {
            items: items.collect(),
            classes,
            superclasses,
            groups,
            names: self.item_names,
            left_out: self.left_out,
            ..Listing::new(
                place,
                "parquet files with a column of pictures",
                Store::Rows(Rows::new(self.files, self.columns, self.rows)),
            )
        };
        if self.is_cifar100 {
            CIFAR100.introduce(&mut listing);
        }
        Ok(listing)
    }

    /// The classes of a kind, and that of each row: by the names that the file gives to numbers, where it does.
    fn classes(
        &self,
        place: &Path,
        kind: usize,
        (texts, ids): (Vec<String>, Vec<Option<u32>>),
    ) -> Result<(Vec<String>, Vec<Option<u32>>), DataError> {
        match &self.names[kind] {
            None => Ok((texts, ids)),
            Some(names) => {
                let numbers = as_numbers(place, &texts, ids.into_iter(), names)?;
                Ok((names.clone(), numbers))
            }
        }
    }
}

/// Where one file has its columns, as leaves.
struct Found {
    image: usize,
    places: [Option<usize>; 4],
    names: [Option<Vec<String>>; 2],
    is_cifar100: bool,
}

impl Found {
    fn of(reader: &ParquetFile, asked: &Columns) -> Result<Self, String> {
        let leaves = leaves(reader);
        let features = features(reader);
        let image = image_column(reader, &leaves, &features, asked.image.as_deref())?;
        let (places, header): (Vec<usize>, Vec<String>) =
            leaves.into_iter().filter(|(i, _)| *i != image).unzip();
        let label = match column(&header, asked.label.as_deref(), &LABEL_WORDS)? {
            Some(label) => label,
            None => match header
                .iter()
                .position(|name| class_names(&features, name).is_some())
            {
                Some(label) => label,
                None => {
                    return Err(format!(
                        "it has no column with the class, but {}",
                        header.join(", ")
                    ));
                }
            },
        };
        let superclass = column(&header, asked.superclass.as_deref(), &SUPERCLASS_WORDS)?;
        let group = column(&header, asked.group.as_deref(), &GROUP_WORDS)?;
        let split = column(&header, asked.split.as_deref(), &SPLIT_WORDS)?;
        let name =
            |place: Option<usize>| place.and_then(|place| class_names(&features, &header[place]));
        let names = [name(Some(label)), name(superclass)];
        let is_cifar100 = header[label] == "fine_label"
            && names[LABEL]
                .as_ref()
                .is_some_and(|names| names.len() == 100 && names[0] == "apple");
        Ok(Self {
            image,
            places: [Some(label), superclass, group, split]
                .map(|place| place.map(|place| places[place])),
            names,
            is_cifar100,
        })
    }
}

/// What the `datasets` library wrote about the columns into the file.
fn features(reader: &ParquetFile) -> Value {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let text = pairs.and_then(|pairs| {
        pairs
            .iter()
            .find(|pair| pair.key == "huggingface")?
            .value
            .as_deref()
    });
    let json: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
    json.map_or(Value::Null, |json| json["info"]["features"].clone())
}

/// The names of the numbers in a column of classes.
fn class_names(features: &Value, column: &str) -> Option<Vec<String>> {
    serde_json::from_value(features.get(column)?.get("names")?.clone()).ok()
}

/// The leaf column with pictures: the one asked for, the one the file says is of pictures, `NAME.bytes` where
/// there is one, else the first whose first value begins as a picture.
fn image_column(
    reader: &ParquetFile,
    leaves: &[(usize, String)],
    features: &Value,
    asked: Option<&str>,
) -> Result<usize, String> {
    let bytes: Vec<(usize, &str)> = leaves
        .iter()
        .filter(|(i, _)| is_bytes(reader, *i))
        .map(|(i, name)| (*i, name.as_str()))
        .collect();
    let called = |name: &str| {
        let within = format!("{name}.bytes");
        let found = bytes
            .iter()
            .find(|(_, leaf)| *leaf == within || *leaf == name);
        found.map(|(i, _)| *i)
    };
    if let Some(asked) = asked {
        let names: Vec<&str> = bytes.iter().map(|(_, name)| *name).collect();
        return called(asked).ok_or_else(|| {
            format!(
                "there is no column of bytes {asked}, but {}",
                names.join(", ")
            )
        });
    }
    let told = features
        .as_object()
        .into_iter()
        .flatten()
        .find(|(_, feature)| feature["_type"] == "Image");
    if let Some(place) = told.and_then(|(name, _)| called(name)) {
        return Ok(place);
    }
    let first_is_picture = |index: usize| -> Option<bool> {
        let Ok(Values::Bytes(values)) = read_column(reader, 0, index) else {
            return None;
        };
        let first = values.iter().flatten().next()?;
        let looks = Looks::of(first.data());
        Some(matches!(looks, Looks::Picture(_) | Looks::Unread(_)))
    };
    let within = bytes.iter().filter(|(_, name)| name.ends_with(".bytes"));
    let found = within
        .chain(&bytes)
        .find(|(i, _)| first_is_picture(*i) == Some(true));
    found.map(|(i, _)| *i).ok_or_else(|| {
        let names: Vec<&str> = leaves.iter().map(|(_, name)| name.as_str()).collect();
        format!("it has no column of pictures, but {}", names.join(", "))
    })
}

/// Labels as the numbers that they are in the file, where `names` tell what the numbers mean.
fn as_numbers(
    place: &Path,
    texts: &[String],
    ids: impl Iterator<Item = Option<u32>>,
    names: &[String],
) -> Result<Vec<Option<u32>>, DataError> {
    let number = |text: &String| match text.parse::<u32>() {
        Ok(number) if (number as usize) < names.len() => Ok(number),
        _ => Err(DataError::unrecognised(
            place,
            format!(
                "a row has the label {text}, and the file names {}",
                counted(names.len(), "class")
            ),
            "write it anew, with labels that are numbers below that",
        )),
    };
    let numbers = texts.iter().map(number).collect::<Result<Vec<u32>, _>>()?;
    Ok(ids.map(|id| id.map(|id| numbers[id as usize])).collect())
}

/// Whether a parquet file has a column of pictures: if not, it may be a table of paths.
pub(crate) fn has_pictures(path: &Path, columns: &Columns) -> Result<bool, DataError> {
    let reader = open(path)?;
    let found = image_column(
        &reader,
        &leaves(&reader),
        &features(&reader),
        columns.image.as_deref(),
    );
    Ok(found.is_ok())
}
