//! How counts are said.

#![doc = include_str!("../README.md")]

/// A count with its noun, given in the singular.
///
/// ```
/// use siamese_words::counted;
///
/// assert_eq!(counted(1, "pair"), "1 pair");
/// assert_eq!(counted(0, "test image"), "0 test images");
/// assert_eq!(counted(3, "class"), "3 classes");
/// assert_eq!(counted(2, "identity"), "2 identities");
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count, noun))
}

/// A noun, given in the singular, as it stands after a count.
///
/// ```
/// use siamese_words::plural;
///
/// assert_eq!((plural(1, "class"), plural(60_000, "class")), ("class".into(), "classes".into()));
/// assert_eq!(plural(2, "day"), "days");
/// assert_eq!((plural(2, "batch"), plural(2, "epoch")), ("batches".into(), "epochs".into()));
/// ```
pub fn plural(count: usize, noun: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| noun.ends_with(ending));
    match noun.strip_suffix('y') {
        _ if count == 1 => noun.into(),
        Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "ch", "sh"]) && !ends(&["och"]) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// The verb after a count.
///
/// ```
/// assert_eq!((siamese_words::are(1), siamese_words::are(2)), ("is", "are"));
/// ```
pub fn are(count: usize) -> &'static str {
    match count {
        1 => "is",
        _ => "are",
    }
}
