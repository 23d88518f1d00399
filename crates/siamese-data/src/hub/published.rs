//! Files that are published elsewhere than on the hub, fetched as the hub's are.

use std::path::Path;

use super::address::Origin;
use super::cache::{lock, with_ending};
use super::client::Client;
use super::options::HubOptions;
use super::transfer::{self, Checksum};
use crate::{DataError, Progress};

/// Downloads a file that is published elsewhere than on the hub to `path`, as the hub's files are: resumed when it
/// breaks off, named only when its md5 is right. The hub's token is not sent.
pub(crate) fn fetch_published(
    url: &str,
    md5: &str,
    path: &Path,
    options: &HubOptions,
    progress: Progress,
) -> Result<(), DataError> {
    let endpoint = Origin::of(url).map_or(url.to_string(), |origin| origin.to_string());
    let options = HubOptions {
        endpoint,
        token: None,
        ..options.clone()
    };
    let client = Client::new(&options, progress)?;
    let _lock = lock(&with_ending(path, "lock"), progress)?;
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
