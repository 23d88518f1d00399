//! A file that is not what it was taken for.

use std::path::Path;

use crate::error::DataError;
use crate::picture::Looks;

/// The error of a file at `path` that begins with `head`, where `wanted` was expected: it is not damaged, but another.
pub(crate) fn mistaken(path: &Path, head: &[u8], wanted: &str) -> DataError {
    let looks = Looks::of(head);
    let advice = match looks.is_stand_in() {
        true => "fetch the file itself",
        false => "name a file of that kind",
    };
    let found = format!("it is no {wanted}, but looks like {}", looks.in_words());
    DataError::unrecognised(path, found, advice)
}

/// Refuses what stands in a file's place: a pointer of git-lfs, a web page.
///
/// # Errors
///
/// [`DataError::Unrecognised`] says what it is.
pub(crate) fn refuse_stand_in(path: &Path, looks: Looks) -> Result<(), DataError> {
    match looks.is_stand_in() {
        true => {
            let found = format!("it is {}", looks.in_words());
            Err(DataError::unrecognised(
                path,
                found,
                "fetch the file itself",
            ))
        }
        false => Ok(()),
    }
}
