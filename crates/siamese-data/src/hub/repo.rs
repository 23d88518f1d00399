//! A repository on the hub: its list of files, and each file by way of the cache.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde::Deserialize;

use super::cache::{agrees_with_its_name, is_sha256, lock, point};
use super::client::Client;
use super::options::HubOptions;
use super::transfer::{self, Checksum};
use crate::entries::entries;
use crate::{DataError, Progress};

/// A repository on the hub: a data set's, or a model's.
pub(crate) struct HubRepo<'a> {
    repo: Repo,
    options: &'a HubOptions,
}

impl<'a> HubRepo<'a> {
    /// The branch `main` of the data set `name`, as `uoft-cs/cifar100`.
    pub(crate) fn new(name: &str, options: &'a HubOptions) -> Self {
        Self::at(name, "main", options)
    }

    /// The branch `main` of the model `name`, as `timm/resnet50.tv_in1k`.
    pub(crate) fn model(name: &str, options: &'a HubOptions) -> Self {
        let repo = Repo::with_revision(name.into(), RepoType::Model, "main".into());
        Self { repo, options }
    }

    /// A branch, a tag or a commit of a data set.
    pub(crate) fn at(name: &str, revision: &str, options: &'a HubOptions) -> Self {
        let repo = Repo::with_revision(name.into(), RepoType::Dataset, revision.into());
        Self { repo, options }
    }

    /// The paths of all files in the repository; without a network, of those in the cache.
    pub(crate) fn files(&self, progress: Progress) -> Result<Vec<String>, DataError> {
        self.options.check()?;
        if self.options.offline {
            let files = self.cached_files();
            return match files.is_empty() {
                true => Err(self.offline(&self.repo.url())),
                false => Ok(files),
            };
        }
        let url = format!("{}/api/{}", self.options.endpoint, self.repo.api_url());
        let bytes = Client::new(self.options, progress)?.fetch(&url)?;
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
        self.options.check()?;
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

    /// Whether the hub answers: where it cannot be reached, asked once; where it is busy, until it is not.
    pub(crate) fn probe(&self, file: &str, progress: Progress) -> Result<(), DataError> {
        self.options.check()?;
        if self.options.offline {
            return Err(self.offline(file));
        }
        Client::hasty(self.options, progress)?.metadata(&self.url(file))?;
        Ok(())
    }

    fn download(&self, file: &str, progress: Progress) -> Result<PathBuf, DataError> {
        let client = Client::new(self.options, progress)?;
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
