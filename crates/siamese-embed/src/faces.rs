//! A folder of faces says how these were cut out of photos.

use std::fs;
use std::path::Path;

use siamese_core::FaceCrop;

use crate::error::Error;

/// The file in a folder of faces that says how they were cut out.
const MARKER: &str = "faces.json";

/// How the pictures of a folder were cut out of photos, where [`mark_faces`] has said so there.
///
/// # Errors
/// When the file that says it cannot be read; the message names it.
pub fn marked_faces(folder: &Path) -> Result<Option<FaceCrop>, Error> {
    let path = folder.join(MARKER);
    if !path.is_file() {
        return Ok(None);
    }
    let wrong = |why: String| Error::Marker {
        path: path.clone(),
        why,
    };
    let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let crop: FaceCrop = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    crop.validate().map_err(|error| wrong(error.to_string()))?;
    Ok(Some(crop))
}

/// Says in a folder of faces how they were cut out, so that a model that is trained on them knows.
///
/// # Errors
/// When the file cannot be written.
pub fn mark_faces(folder: &Path, crop: &FaceCrop) -> Result<(), Error> {
    let path = folder.join(MARKER);
    let written = || {
        let text = serde_json::to_string_pretty(crop)?;
        siamese_files::write_bytes(&path, text.as_bytes())
    };
    written().map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_faces_says_how_they_were_cut_and_another_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(marked_faces(folder.path()).unwrap(), None);
        let crop = FaceCrop {
            side: 96,
            ..FaceCrop::default()
        };
        mark_faces(folder.path(), &crop).unwrap();
        assert_eq!(marked_faces(folder.path()).unwrap(), Some(crop));
        for text in ["{", "{\"side\": 1}", "{\"sides\": 96}"] {
            fs::write(folder.path().join(MARKER), text).unwrap();
            let error = marked_faces(folder.path()).unwrap_err().to_string();
            assert!(error.contains(MARKER), "{error}");
        }
    }
}
