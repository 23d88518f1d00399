//! How to reach the hub, and where its files are kept.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::Origin;
use super::proxies::Proxies;
use super::roots;
use crate::DataError;
use crate::variables::Variables;

const HUB: &str = "https://huggingface.co";

/// How to reach the hub, and where its files are kept.
///
/// The default is what the environment says, see [`HubOptions::from_env`].
#[derive(Clone)]
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
    /// Bytes a second that a connected server must bring, each `read_timeout`.
    pub min_rate: u64,
    /// How often in a row a request may fail, beyond the first time.
    pub retries: u32,
    /// The wait before the first retry; it doubles with each further one.
    pub backoff: Duration,
    /// The proxies to go through.
    pub proxies: Proxies,
    /// Files and folders of certificates (PEM) to trust in place of the system's store.
    pub certificates: Vec<PathBuf>,
    /// A setting of the environment that could not be read, in words: told before anything is asked for.
    pub malformed: Option<String>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self::from_env()
    }
}

/// The token is left out, and all that may be a password.
impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &Origin::of(&self.endpoint))
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .field("malformed", &self.malformed)
            .finish_non_exhaustive()
    }
}

impl HubOptions {
    /// The hub at `endpoint`, with no token and no proxy, whatever the environment says.
    pub fn new(endpoint: &str, cache: &Path) -> Self {
        Self {
            endpoint: endpoint.trim_end_matches('/').into(),
            cache: cache.into(),
            token: None,
            offline: false,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
            min_rate: 1 << 10,
            retries: 5,
            backoff: Duration::from_secs(1),
            proxies: Proxies::default(),
            certificates: Vec::new(),
            malformed: None,
        }
    }

    /// The options that the environment asks for, as Python's `huggingface_hub` reads it.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `HF_ENDPOINT` | the hub's address, else `https://huggingface.co` |
    /// | `HF_HUB_CACHE` | the cache, else `$HF_HOME/hub` |
    /// | `HF_HOME` | else `$XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface` |
    /// | `HF_HUB_OFFLINE` | `1`, `ON`, `YES` or `TRUE`: use only the cache |
    /// | `HF_TOKEN` | the token, else the content of `$HF_TOKEN_PATH`, else of `$HF_HOME/token` |
    /// | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | `1`: send no token |
    /// | `HF_HUB_ETAG_TIMEOUT` | seconds to wait for a connection |
    /// | `HF_HUB_DOWNLOAD_TIMEOUT` | seconds that a connected server may be silent |
    /// | `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | as curl reads them |
    /// | `SSL_CERT_FILE`, `SSL_CERT_DIR` | certificates to trust in place of the system's store |
    ///
    /// Blanks around a value do not count, `~` and `$NAME` in paths are put in, and what is empty is not set. What
    /// cannot be read is in [`HubOptions::malformed`].
    pub fn from_env() -> Self {
        Self::from_variables(&|name| std::env::var_os(name))
    }

    fn from_variables(look: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut options = Self::new(HUB, Path::new(""));
        options.malformed = options.read(&Variables(look)).err();
        options
    }

    fn read(&mut self, variables: &Variables) -> Result<(), String> {
        let home = match (
            variables.path("HF_HOME")?,
            variables.path("XDG_CACHE_HOME")?,
        ) {
            (Some(home), _) => home,
            (None, Some(caches)) => caches.join("huggingface"),
            (None, None) => variables
                .home()
                .map_or_else(std::env::temp_dir, |home| home.join(".cache"))
                .join("huggingface"),
        };
        let cache = variables.path("HF_HUB_CACHE")?;
        self.cache = cache.unwrap_or_else(|| home.join("hub"));
        self.offline = variables.yes("HF_HUB_OFFLINE")?;
        if let Some(endpoint) = variables.text("HF_ENDPOINT")? {
            self.endpoint = endpoint.trim_end_matches('/').into();
        }
        if !variables.yes("HF_HUB_DISABLE_IMPLICIT_TOKEN")? {
            self.token = token(variables, &home)?;
        }
        if let Some(time) = variables.seconds("HF_HUB_ETAG_TIMEOUT")? {
            self.connect_timeout = time;
        }
        if let Some(time) = variables.seconds("HF_HUB_DOWNLOAD_TIMEOUT")? {
            self.read_timeout = time;
        }
        self.proxies = Proxies::read(variables)?;
        self.certificates = roots::named(variables)?;
        Ok(())
    }

    /// The hub's origin.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] names what cannot be as it is; a token is not repeated.
    pub(super) fn check(&self) -> Result<Origin, DataError> {
        if let Some(why) = &self.malformed {
            return Err(DataError::Setting(why.clone()));
        }
        if let Some(token) = &self.token {
            check_token(token).map_err(DataError::Setting)?;
        }
        check_endpoint(&self.endpoint).map_err(DataError::Setting)
    }
}

/// A token is one word of letters, digits and `-._~+/=` (RFC 6750).
fn check_token(token: &str) -> Result<(), String> {
    let wrong = token
        .chars()
        .find(|&c| !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c)));
    let Some(wrong) = wrong else { return Ok(()) };
    let what = match wrong {
        '\n' | '\r' => "a line break".to_string(),
        c if c.is_whitespace() => "a blank".into(),
        c if c.is_ascii_graphic() => format!("the character {c}"),
        _ => "a character that no token has".into(),
    };
    Err(format!(
        "the token (HF_TOKEN, or the file `token` in HF_HOME) holds {what}; it must be one word, as hf_…"
    ))
}

fn check_endpoint(endpoint: &str) -> Result<Origin, String> {
    let place = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, place)| place);
    let host = place.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err(
            "HF_ENDPOINT holds a user's name; leave that out, and give a token with HF_TOKEN"
                .into(),
        );
    }
    let graphic = endpoint.chars().all(|c| c.is_ascii_graphic());
    let origin = Origin::of(endpoint).filter(|_| graphic && !endpoint.contains(['?', '#', '"']));
    origin.ok_or_else(|| {
        format!("HF_ENDPOINT is {endpoint:?}, which is no address; write it as {HUB}")
    })
}

fn token(variables: &Variables, home: &Path) -> Result<Option<String>, String> {
    if let Some(token) = variables.text("HF_TOKEN")? {
        return Ok(Some(token));
    }
    let file = variables.path("HF_TOKEN_PATH")?;
    let file = file.unwrap_or_else(|| home.join("token"));
    match fs::read_to_string(&file) {
        Ok(token) => Ok(Some(token.trim().to_string()).filter(|token| !token.is_empty())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(format!(
            "reading the hub's token from {}: {error}",
            file.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> HubOptions {
        HubOptions::from_variables(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
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
            ("HF_HUB_DOWNLOAD_TIMEOUT", "30"),
        ]);
        assert_eq!(set.endpoint, "http://mirror");
        assert_eq!(set.cache, folder.path().join("hub"));
        assert_eq!(set.token.as_deref(), Some("from-file"));
        assert_eq!(set.read_timeout, Duration::from_secs(30));
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

        let set = options(&[("HOME", "/home/me"), ("HF_HOME", "~/hf")]);
        assert_eq!(set.cache, Path::new("/home/me/hf/hub"));
        let silent = [("HF_TOKEN", "x"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")];
        assert_eq!(options(&silent).token, None);
    }

    #[test]
    fn blanks_around_a_setting_do_not_count() {
        let set = options(&[
            ("HF_ENDPOINT", "  https://mirror.example/hub/ \n"),
            ("HF_TOKEN", " hf_abc\n"),
            ("HF_HUB_CACHE", " /elsewhere "),
            ("HF_HUB_OFFLINE", " 1 "),
        ]);
        assert!(set.check().is_ok(), "{:?}", set.malformed);
        assert_eq!(set.endpoint, "https://mirror.example/hub");
        assert_eq!(set.token.as_deref(), Some("hf_abc"));
        assert_eq!(
            (set.cache.as_path(), set.offline),
            (Path::new("/elsewhere"), true)
        );
    }

    #[test]
    fn a_malformed_setting_is_refused_by_name_and_a_token_is_not_repeated() {
        for (name, value) in [
            ("HF_ENDPOINT", "huggingface.co"),
            ("HF_ENDPOINT", "\"https://huggingface.co\""),
            ("HF_ENDPOINT", "https://hugging face.co"),
            ("HF_ENDPOINT", "https://huggingface.co:port"),
            ("HF_ENDPOINT", "ftp://huggingface.co"),
            ("HF_ENDPOINT", "https://me:secret@huggingface.co"),
            ("HF_ENDPOINT", "me:secret@huggingface.co"),
            ("HF_TOKEN", "hf_secret\nhf_other"),
            ("HF_TOKEN", "\"hf_secret\""),
            ("HF_TOKEN", "Bearer hf_secret"),
            ("HF_TOKEN", "hf_secrét"),
            ("HF_TOKEN", "hf_secret\u{1b}[2J"),
            ("HF_TOKEN", "hf_secret\u{7f}x"),
            ("HF_HUB_OFFLINE", "perhaps"),
            ("HF_HUB_ETAG_TIMEOUT", "soon"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "0"),
            ("HTTPS_PROXY", "http://secret@proxy:x"),
            ("HF_HOME", "~nobody/hf"),
        ] {
            let set = options(&[(name, value)]);
            let error = set.check().unwrap_err().to_string();
            assert!(error.contains(name), "{name}={value:?}: {error}");
            assert!(!error.contains("secr"), "{error}");
            assert!(!format!("{set:?}").contains("secr"), "{set:?}");
        }
    }
}
