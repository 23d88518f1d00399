//! Files of the Hugging Face hub, through its local cache.
//!
//! The names (addresses, the cache's folders) are [`hf_hub`]'s, and the cache is the standard
//! one, shared with Python's `huggingface_hub`. The transfer is ours: hf-hub 0.5 has no time
//! limits, checks neither the length nor the content of what it downloaded, and takes a server
//! that ignores `Range` for one that resumed.

mod client;
mod transfer;

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;

use crate::source::locate::entries;
use crate::{DataError, Progress, digest};
use client::{Client, origin};
use transfer::Checksum;

/// How to reach the hub, and where its files are kept.
///
/// The default is what the environment says, see [`HubOptions::from_env`].
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// The hub's address, without a slash at the end.
    pub endpoint: String,
    /// The hub's cache: the folder that holds `datasets--OWNER--NAME`.
    pub cache: PathBuf,
    /// The token sent to the hub, and to nobody else.
    pub token: Option<String>,
    /// Whether only the cache may be used.
    pub offline: bool,
    /// The longest wait for a name, and then for a connection.
    pub connect_timeout: Duration,
    /// The longest silence of a connected server.
    pub read_timeout: Duration,
    /// How often in a row a request may fail, beyond the first time.
    pub retries: u32,
    /// The wait before the first retry; it doubles with each further one.
    pub backoff: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self::from_env()
    }
}

impl HubOptions {
    /// The options that the environment asks for, as Python's `huggingface_hub` reads it.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `HF_ENDPOINT` | the hub's address, else `https://huggingface.co` |
    /// | `HF_HUB_CACHE` | the cache, else `$HF_HOME/hub` |
    /// | `HF_HOME` | else `$XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface` |
    /// | `HF_HUB_OFFLINE` | `1`, `ON`, `YES` or `TRUE`: use only the cache |
    /// | `HF_TOKEN` | the token, else the content of `$HF_TOKEN_PATH`, else of `$HF_HOME/token` |
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = set("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
            set("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
                .join("huggingface")
        });
        let token_file = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
        let token = set("HF_TOKEN")
            .or_else(|| fs::read_to_string(token_file).ok())
            .map(|token| token.trim().to_string())
            .filter(|token| !token.is_empty());
        let offline = set("HF_HUB_OFFLINE").is_some_and(|value| {
            ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
        });
        Self {
            endpoint: set("HF_ENDPOINT")
                .map(|endpoint| endpoint.trim_end_matches('/').to_string())
                .unwrap_or_else(|| "https://huggingface.co".into()),
            cache: set("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            token,
            offline,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
            retries: 5,
            backoff: Duration::from_secs(1),
        }
    }
}

/// A data set's repository on the hub.
pub(crate) struct DatasetRepo<'a> {
    repo: Repo,
    options: &'a HubOptions,
}

/// What the hub says about a file before it is downloaded.
#[derive(Debug)]
struct Metadata {
    commit: String,
    etag: String,
    size: u64,
}

impl<'a> DatasetRepo<'a> {
    /// The branch `main` of the repository `name`, as `uoft-cs/cifar100`.
    pub(crate) fn new(name: &str, options: &'a HubOptions) -> Self {
        Self::at(name, "main", options)
    }

    /// A branch, a tag or a commit.
    pub(crate) fn at(name: &str, revision: &str, options: &'a HubOptions) -> Self {
        let repo = Repo::with_revision(name.into(), RepoType::Dataset, revision.into());
        Self { repo, options }
    }

    /// The paths of all files in the repository; without a network, of those in the cache.
    pub(crate) fn files(&self, progress: Progress) -> Result<Vec<String>, DataError> {
        if self.options.offline {
            let files = self.cached_files();
            return match files.is_empty() {
                true => Err(self.offline(&self.repo.url())),
                false => Ok(files),
            };
        }
        let url = format!("{}/api/{}", self.options.endpoint, self.repo.api_url());
        let bytes = Client::new(self.options, progress).fetch(&url)?;
        let answer: RepoInfo =
            serde_json::from_slice(&bytes).map_err(|error| DataError::Refused {
                url,
                reason: format!("the answer does not list files as the hub's does: {error}"),
                advice: "check HF_ENDPOINT",
            })?;
        // they become paths in the cache
        let within = |file: &String| {
            let mut names = Path::new(file).components();
            names.all(|name| matches!(name, Component::Normal(_)))
        };
        let files = answer.siblings.into_iter().map(|file| file.rfilename);
        Ok(files.filter(within).collect())
    }

    fn cached_files(&self) -> Vec<String> {
        let Some(commit) = self.cached_commit() else {
            return Vec::new();
        };
        let root = self.cache_repo().pointer_path(&commit);
        let (mut open, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = open.pop() {
            for path in entries(&folder) {
                match path.is_dir() {
                    true => open.push(path),
                    false => files.extend(
                        path.strip_prefix(&root)
                            .ok()
                            .and_then(Path::to_str)
                            .map(String::from),
                    ),
                }
            }
        }
        files.sort();
        files
    }

    /// The commit that the cache has for the branch.
    pub(crate) fn cached_commit(&self) -> Option<String> {
        let folder = self.options.cache.join(self.repo.folder_name());
        let commit = fs::read_to_string(folder.join("refs").join(self.repo.revision())).ok()?;
        Some(commit.trim().to_string())
    }

    /// The file in the cache, if it is there; its content is not looked at.
    pub(crate) fn cached(&self, file: &str) -> Option<PathBuf> {
        self.cache_repo().get(file)
    }

    /// The file in the cache, downloaded first if it is not there or is damaged.
    pub(crate) fn get(&self, file: &str, progress: Progress) -> Result<PathBuf, DataError> {
        if let Some(path) = self.cached(file) {
            if agrees_with_its_name(&path)? {
                return Ok(path);
            }
            let blob = path
                .canonicalize()
                .map_err(DataError::io("reading", &path))?;
            progress.note(&format!("{} is damaged, fetching it again", blob.display()));
            if !self.options.offline {
                fs::remove_file(&blob).map_err(DataError::io("removing", &blob))?;
            }
        }
        if self.options.offline {
            return Err(self.offline(file));
        }
        self.download(file, progress)
    }

    /// Whether the hub answers, asked once and without patience.
    pub(crate) fn probe(&self, file: &str) -> Result<(), DataError> {
        if self.options.offline {
            return Err(self.offline(file));
        }
        let hasty = HubOptions {
            retries: 0,
            read_timeout: self.options.connect_timeout,
            ..self.options.clone()
        };
        Client::new(&hasty, Progress::Silent).metadata(&self.url(file))?;
        Ok(())
    }

    fn download(&self, file: &str, progress: Progress) -> Result<PathBuf, DataError> {
        let client = Client::new(self.options, progress);
        let url = self.url(file);
        let metadata = client.metadata(&url)?;
        let cache = self.cache_repo();
        let blob = cache.blob_path(&metadata.etag);

        let _lock = self.lock(&metadata.etag, progress)?;
        if !(blob.is_file() && agrees_with_its_name(&blob)?) {
            let checksum = match is_sha256(&metadata.etag) {
                true => Checksum::Sha256(metadata.etag.clone()),
                false => Checksum::Unknown,
            };
            transfer::download(&client, &url, metadata.size, &checksum, &blob, progress)?;
        }
        let pointer = cache.pointer_path(&metadata.commit).join(file);
        point(&pointer, &blob, file).map_err(DataError::io("writing", &pointer))?;
        cache
            .create_ref(&metadata.commit)
            .map_err(DataError::io("writing the branch of", &pointer))?;
        Ok(pointer)
    }

    /// Keeps other processes (Python's included) from downloading the same file; a lock ends
    /// with the file it is held through.
    fn lock(&self, etag: &str, progress: Progress) -> Result<File, DataError> {
        let folder = self
            .options
            .cache
            .join(".locks")
            .join(self.repo.folder_name());
        fs::create_dir_all(&folder).map_err(DataError::io("creating", &folder))?;
        lock(&folder.join(format!("{etag}.lock")), progress)
    }

    fn offline(&self, file: &str) -> DataError {
        DataError::Offline {
            file: file.into(),
            cache: self.options.cache.clone(),
        }
    }

    fn cache_repo(&self) -> CacheRepo {
        Cache::new(self.options.cache.clone()).repo(self.repo.clone())
    }

    fn url(&self, file: &str) -> String {
        let (endpoint, path) = (&self.options.endpoint, self.repo.url());
        format!(
            "{endpoint}/{path}/resolve/{}/{file}",
            self.repo.url_revision()
        )
    }
}

/// What the hub says about a repository; of much more this is used.
#[derive(Deserialize)]
struct RepoInfo {
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Downloads a file that is published elsewhere than on the hub to `path`, as the hub's files are: resumed when it
/// breaks off, named only when its md5 is right. The hub's token is not sent.
pub(crate) fn fetch_published(
    url: &str,
    md5: &str,
    path: &Path,
    options: &HubOptions,
    progress: Progress,
) -> Result<(), DataError> {
    let endpoint = origin(url).map_or(url.to_string(), |(scheme, host)| {
        format!("{scheme}://{host}")
    });
    let options = HubOptions {
        endpoint,
        token: None,
        ..options.clone()
    };
    let client = Client::new(&options, progress);
    let _lock = lock(&transfer::with_ending(path, "lock"), progress)?;
    if path.is_file() {
        return Ok(());
    }
    let size = client.size(url)?;
    transfer::download(
        &client,
        url,
        size,
        &Checksum::Md5(md5.into()),
        path,
        progress,
    )
}

/// Waits for other processes that hold the lock at `path`; it ends with the file.
fn lock(path: &Path, progress: Progress) -> Result<File, DataError> {
    let file = File::create(path).map_err(DataError::io("creating", path))?;
    if file.try_lock().is_err() {
        progress.note("another process is downloading this file, waiting for it");
        file.lock().map_err(DataError::io("locking", path))?;
    }
    Ok(file)
}

/// Whether a blob named by its sha256, as the hub names large files, has that content.
///
/// True of other names: they say nothing that could be checked.
fn agrees_with_its_name(path: &Path) -> Result<bool, DataError> {
    let read = DataError::io("reading", path);
    let checked = || {
        let blob = path.canonicalize()?;
        let name = blob.file_name().unwrap_or_default().to_string_lossy();
        match is_sha256(&name) {
            true => Ok(digest::sha256_of_file(&blob)? == name),
            false => Ok(true),
        }
    };
    checked().map_err(read)
}

fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Makes `pointer` lead to `blob`; `file` is the pointer's path within its snapshot.
fn point(pointer: &Path, blob: &Path, file: &str) -> std::io::Result<()> {
    let folder = pointer.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    if pointer.is_symlink() || pointer.exists() {
        fs::remove_file(pointer)?;
    }
    // From snapshots/COMMIT and the folders of `file` up to where `blobs` is.
    let ups = "../".repeat(2 + file.matches('/').count());
    let name = blob.file_name().unwrap_or_default();
    let relative = Path::new(&ups).join("blobs").join(name);
    match symlink(&relative, pointer) {
        Ok(()) => Ok(()),
        // No right to make links (Windows): the file itself, as Python's client does.
        Err(_) => fs::rename(blob, pointer),
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> HubOptions {
        HubOptions::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn the_environment_is_read_as_python_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        fs::write(folder.path().join("token"), "from-file\n").unwrap();

        let set = options(&[
            ("HF_HOME", home),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_HUB_OFFLINE", "yes"),
        ]);
        assert_eq!(set.endpoint, "http://mirror");
        assert_eq!(set.cache, folder.path().join("hub"));
        assert_eq!(set.token.as_deref(), Some("from-file"));
        assert!(set.offline);

        let set = options(&[
            ("HF_HOME", home),
            ("HF_HUB_CACHE", "/elsewhere"),
            ("HF_TOKEN", "from-variable"),
            ("HF_HUB_OFFLINE", "0"),
        ]);
        assert_eq!(set.endpoint, "https://huggingface.co");
        assert_eq!(set.cache, Path::new("/elsewhere"));
        assert_eq!(set.token.as_deref(), Some("from-variable"));
        assert!(!set.offline);

        let set = options(&[("XDG_CACHE_HOME", "/xdg"), ("HF_HOME", "")]);
        assert_eq!(set.cache, Path::new("/xdg/huggingface/hub"));
        assert_eq!(set.token, None);
    }
}
