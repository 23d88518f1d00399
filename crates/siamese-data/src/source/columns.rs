//! What columns are called: the common words, and what was asked for.

use std::collections::{BTreeSet, HashMap};

/// What columns of paths are called, in lower case, letters and digits alone.
pub(crate) const FILE_WORDS: [&str; 13] = [
    "path",
    "file",
    "filename",
    "filepath",
    "imagepath",
    "imagefile",
    "imagename",
    "image",
    "img",
    "imgpath",
    "picture",
    "photo",
    "imageid",
];

/// What columns of classes are called, the likelier first; as they are written in files.
pub(crate) const LABEL_WORDS: [&str; 12] = [
    "label",
    "labels",
    "class",
    "class_name",
    "category",
    "target",
    "fine_label",
    "species",
    "identity",
    "cls",
    "breed",
    "y",
];

/// What columns of superclasses are called.
pub(crate) const SUPERCLASS_WORDS: [&str; 5] = [
    "superclass",
    "coarse_label",
    "supercategory",
    "family",
    "genus",
];

/// What columns are called whose values must not be split across parts.
pub(crate) const GROUP_WORDS: [&str; 10] = [
    "group",
    "person",
    "person_id",
    "patient",
    "patient_id",
    "subject",
    "subject_id",
    "video",
    "video_id",
    "writer",
];

/// What columns are called that say which part a picture belongs to.
pub(crate) const SPLIT_WORDS: [&str; 5] = ["split", "part", "subset", "partition", "set"];

/// What columns are called that say whether two pictures show the same thing.
pub(crate) const SAME_WORDS: [&str; 11] = [
    "same",
    "issame",
    "match",
    "ismatch",
    "like",
    "genuine",
    "duplicate",
    "isduplicate",
    "issameperson",
    "sameclass",
    "positive",
];

/// A column's name in lower case, letters and digits alone: `File Name` and `file_name` are the same.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The column called `asked`, else the one called by the likeliest of `words`.
///
/// # Errors
///
/// In words, if `asked` is not there: it names the nearest column.
pub(crate) fn column(
    header: &[String],
    asked: Option<&str>,
    words: &[&str],
) -> Result<Option<usize>, String> {
    if let Some(asked) = asked {
        let found = header.iter().position(|name| name == asked);
        let found = found.or_else(|| header.iter().position(|name| plain(name) == plain(asked)));
        return found.map(Some).ok_or_else(|| no_column(header, asked));
    }
    let called = |word: &&str| header.iter().position(|name| plain(name) == plain(word));
    Ok(words.iter().find_map(called))
}

fn no_column(header: &[String], asked: &str) -> String {
    let nearness = |name: &&String| {
        (strsim::normalized_damerau_levenshtein(&plain(name), &plain(asked)) * 1e6) as u64
    };
    let nearest = header
        .iter()
        .max_by_key(nearness)
        .filter(|name| nearness(name) > 500_000);
    let meant = nearest.map_or(String::new(), |name| format!("; did you mean {name}?"));
    format!(
        "there is no column {asked}, but {}{meant}",
        header.join(", ")
    )
}

/// The distinct labels, numbers by their value and words by their letters, and for each label its place.
pub(crate) fn sorted_classes<'a>(
    labels: impl Iterator<Item = &'a str> + Clone,
) -> (Vec<String>, Vec<u32>) {
    let distinct: BTreeSet<&str> = labels.clone().collect();
    let mut classes: Vec<&str> = distinct.into_iter().collect();
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| class.parse::<i64>().unwrap_or(0));
    }
    let ids: HashMap<&str, u32> = classes.iter().copied().zip(0u32..).collect();
    let places = labels.map(|label| ids[label]).collect();
    (classes.into_iter().map(String::from).collect(), places)
}

/// As [`sorted_classes`], where a value may be missing.
pub(crate) fn sorted_some<'a>(
    values: impl Iterator<Item = Option<&'a str>> + Clone,
) -> (Vec<String>, Vec<Option<u32>>) {
    let (names, places) = sorted_classes(values.clone().flatten());
    let mut places = places.into_iter();
    let ids = values
        .map(|value| value.and_then(|_| places.next()))
        .collect();
    (names, ids)
}

/// Whether a column's name is that of one that says "same" or "not".
pub(crate) fn is_same_word(name: &str) -> bool {
    SAME_WORDS.contains(&plain(name).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_common_names_and_a_wrong_one_names_the_nearest() {
        let header = ["File Name", "Class", "Patient_ID"].map(String::from);
        assert_eq!(column(&header, None, &FILE_WORDS), Ok(Some(0)));
        assert_eq!(column(&header, None, &GROUP_WORDS), Ok(Some(2)));
        assert_eq!(column(&header, None, &SPLIT_WORDS), Ok(None));
        assert_eq!(column(&header, Some("class"), &[]), Ok(Some(1)));
        let error = column(&header, Some("patientid2"), &[]).unwrap_err();
        assert!(error.contains("did you mean Patient_ID?"), "{error}");
    }

    #[test]
    fn numbers_are_sorted_by_value_and_words_by_letters() {
        let (classes, places) = sorted_classes(["10", "9", "10"].into_iter());
        assert_eq!(
            (classes, places),
            (vec!["9".to_string(), "10".into()], vec![1, 0, 1])
        );
        let (names, ids) = sorted_some([Some("b"), None, Some("a")].into_iter());
        assert_eq!((names.len(), ids), (2, vec![Some(1), None, Some(0)]));
    }
}
