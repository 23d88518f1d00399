//! A data set's repository on the Hugging Face hub: `user/name[@revision][/config]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::hub_parquet;
use super::listing::Listing;
use super::options::OpenOptions;
use super::origin::Origin;
use crate::error::DataError;
use crate::hub::HubRepo;
use crate::split::Part;

/// The branch in which the hub keeps every data set as parquet files.
const CONVERTED: &str = "refs/convert/parquet";

/// A repository as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    id: String,
    revision: Option<String>,
    config: Option<String>,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let (user, rest) = text.split_once('/')?;
        let (name, revision, config) = match rest.split_once('@') {
            None => {
                let (name, config) = cut(rest);
                (name, None, config)
            }
            Some((name, rest)) => match rest.strip_prefix(CONVERTED) {
                Some(config) => (name, Some(CONVERTED), config.strip_prefix('/')),
                None => {
                    let (revision, config) = cut(rest);
                    (name, Some(revision), config)
                }
            },
        };
        let plain = |part: &str| {
            let letters = part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
            !part.is_empty()
                && letters
                && part
                    .split('/')
                    .all(|name| !name.is_empty() && name != "." && name != "..")
        };
        let whole = [Some(user), Some(name), revision, config];
        whole.into_iter().flatten().all(plain).then(|| Self {
            id: format!("{user}/{name}"),
            revision: revision.map(String::from),
            config: config.map(String::from),
        })
    }
}

fn cut(text: &str) -> (&str, Option<&str>) {
    text.split_once('/')
        .map_or((text, None), |(head, rest)| (head, Some(rest)))
}

/// Opens the parquet files of the repository, fetched into the hub's cache first.
///
/// # Errors
///
/// [`DataError::Unrecognised`] if the address cannot be read, or the repository has several sets or no parquet
/// files; any [`DataError`] of the network.
pub(crate) fn open(text: &str, options: &OpenOptions) -> Result<Listing, DataError> {
    let place = PathBuf::from(format!("hf:{text}"));
    let address = Address::parse(text).ok_or_else(|| {
        DataError::unrecognised(
            &place,
            "it is no repository's address",
            "write hf:user/name, hf:user/name@revision or hf:user/name/config",
        )
    })?;
    let revision = address.revision.as_deref().unwrap_or("main");
    let mut repo = HubRepo::at(&address.id, revision, &options.hub);
    let mut files = parquet_files(repo.files(options.progress)?);
    if files.is_empty() && address.revision.is_none() {
        options
            .progress
            .note("no parquet files there, taking those that the hub made of them");
        repo = HubRepo::at(&address.id, CONVERTED, &options.hub);
        files = parquet_files(repo.files(options.progress)?);
    }
    let files = chosen(&place, files, address.config.as_deref())?;
    let get = |file: &String| repo.get(file, options.progress);
    let paths = files.iter().map(get).collect::<Result<Vec<PathBuf>, _>>()?;
    let mut listing = hub_parquet::list(&place, &paths, options)?;
    listing.origin = Origin::Hub {
        repo: address.id.clone(),
        commit: repo.cached_commit().unwrap_or_default(),
    };
    let name = address.id.rsplit('/').next().unwrap_or_default();
    listing.name = [Some(name), address.config.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("-")
        .replace('/', "-");
    listing.title = address.id.clone();
    listing.hub_id = Some(address.id);
    Ok(listing)
}

fn parquet_files(mut files: Vec<String>) -> Vec<String> {
    files.retain(|file| file.ends_with(".parquet"));
    files
}

/// The files of one set: all, where there is one; those in the folder `config`, where several are.
fn chosen(
    place: &Path,
    files: Vec<String>,
    config: Option<&str>,
) -> Result<Vec<String>, DataError> {
    let sets: BTreeSet<String> = files.iter().map(|file| set_of(file)).collect();
    let names: Vec<&str> = sets.iter().map(String::as_str).collect();
    let wanted = match (config, names.as_slice()) {
        (_, []) => {
            return Err(DataError::unrecognised(
                place,
                "the repository has no parquet files",
                "fetch it with its own program, and give its folder",
            ));
        }
        (None, [only]) => *only,
        (None, several) => {
            return Err(DataError::unrecognised(
                place,
                format!("the repository has several sets: {}", several.join(", ")),
                format!("name one: {}/{}", place.display(), several[0]),
            ));
        }
        (Some(config), _) => config,
    };
    if !names.contains(&wanted) {
        return Err(DataError::unrecognised(
            place,
            format!(
                "the repository has no set {wanted}, but {}",
                names.join(", ")
            ),
            "name one of these",
        ));
    }
    let wanted = wanted.to_string();
    Ok(files
        .into_iter()
        .filter(|file| set_of(file) == wanted)
        .collect())
}

/// The folder that a file lies in, less one that is called by a part.
fn set_of(file: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    match Part::of_word(last) {
        Some(_) => above.into(),
        None => folder.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_revision_and_a_config_where_they_are_written() {
        let parse = |text| {
            let address: Address = Address::parse(text)?;
            Some((
                address.id,
                address.revision.unwrap_or_default(),
                address.config.unwrap_or_default(),
            ))
        };
        let found = |id: &str, revision: &str, config: &str| {
            Some((id.into(), revision.into(), config.into()))
        };
        assert_eq!(parse("a/b"), found("a/b", "", ""));
        assert_eq!(parse("a/b@v1"), found("a/b", "v1", ""));
        assert_eq!(parse("a/b/small"), found("a/b", "", "small"));
        assert_eq!(parse("a/b@v1/small"), found("a/b", "v1", "small"));
        assert_eq!(
            parse("a/b@refs/convert/parquet/small"),
            found("a/b", CONVERTED, "small")
        );
        for wrong in ["a", "a/", "/b", "a/b@", "a/../c", "a/b/../..", "a/b c"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn of_several_sets_one_must_be_named() {
        let files = |names: &[&str]| {
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        let choose = |names: &[&str], config| {
            chosen(Path::new("hf:a/b"), files(names), config).map_err(|error| error.to_string())
        };
        let converted = [
            "small/train/0000.parquet",
            "small/test/0000.parquet",
            "large/train/0000.parquet",
        ];
        assert_eq!(choose(&converted, Some("small")).unwrap().len(), 2);
        let error = choose(&converted, None).unwrap_err();
        assert!(
            error.contains("several sets: large, small") && error.contains("hf:a/b/large"),
            "{error}"
        );
        assert!(
            choose(&converted, Some("tiny"))
                .unwrap_err()
                .contains("no set tiny")
        );
        assert_eq!(
            choose(
                &[
                    "data/train-00000-of-00001.parquet",
                    "data/test-00000-of-00001.parquet"
                ],
                None
            )
            .unwrap()
            .len(),
            2
        );
    }
}
