//! What an answer's headers mean: what the hub says of a file, how long to wait, and why not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderMap, RETRY_AFTER};

use super::cache::is_sha256;
use crate::digest;

/// What the hub says about a file before it is downloaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) commit: String,
    /// The ETag as the name of a file.
    pub(super) etag: String,
    pub(super) size: u64,
}

/// What the answers on the way to a file say of it. A redirect's own length and ETag are not the file's.
#[derive(Debug, Default)]
pub(super) struct Said {
    commit: Option<String>,
    linked_etag: Option<String>,
    linked_size: Option<u64>,
    /// The ETag that the hub's last answer bears.
    hub_etag: Option<String>,
    /// The ETag and the length of the file itself.
    etag: Option<String>,
    size: Option<u64>,
}

impl Said {
    /// Takes in an answer that leads elsewhere or is the file; `of_hub` says who gave it.
    pub(super) fn hear(&mut self, headers: &HeaderMap, of_hub: bool) {
        let get = |name: &str| text(headers, name);
        if of_hub {
            self.commit = get("x-repo-commit").or(self.commit.take());
            self.hub_etag = get(ETAG.as_str()).or(self.hub_etag.take());
            self.linked_etag = get("x-linked-etag").or(self.linked_etag.take());
            let size = get("x-linked-size").and_then(|size| size.parse().ok());
            self.linked_size = size.or(self.linked_size);
        }
    }

    /// Takes in the answer that is the file.
    pub(super) fn hear_file(&mut self, headers: &HeaderMap, of_hub: bool) {
        self.hear(headers, of_hub);
        self.etag = text(headers, ETAG.as_str());
        self.size = length(headers);
    }

    /// Whether the hub has said all, so that nobody else need be asked.
    pub(super) fn is_all(&self) -> bool {
        self.commit.is_some() && self.linked_etag.is_some() && self.linked_size.is_some()
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.linked_size.or(self.size)
    }

    pub(super) fn metadata(self) -> Option<Metadata> {
        let size = self.size()?;
        let etag = self.linked_etag.or(self.hub_etag).or(self.etag)?;
        Some(Metadata {
            commit: self.commit.filter(|commit| is_file_name(commit))?,
            etag: file_name(&etag)?,
            size,
        })
    }
}

/// The length of the whole file, also where a part of it was asked for.
fn length(headers: &HeaderMap) -> Option<u64> {
    match text(headers, CONTENT_RANGE.as_str()) {
        Some(range) => range.rsplit_once('/')?.1.trim().parse().ok(),
        None => text(headers, CONTENT_LENGTH.as_str())?.parse().ok(),
    }
}

/// A header's value without the blanks around it; what is no text in it is replaced.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    Some(value.trim().to_string()).filter(|value| !value.is_empty())
}

/// An ETag as a file's name: without its quotes and its mark of weakness, and hashed if it could leave the folder.
fn file_name(etag: &str) -> Option<String> {
    let strong = etag.strip_prefix("W/").or_else(|| etag.strip_prefix("w/"));
    let plain = strong.unwrap_or(etag).trim().trim_matches('"');
    match plain {
        "" => None,
        plain if is_sha256(plain) => Some(plain.to_ascii_lowercase()),
        plain if is_file_name(plain) => Some(plain.into()),
        plain => Some(format!("etag-{}", digest::sha256(plain.as_bytes()))),
    }
}

fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let dotted = name.starts_with('.') || name.ends_with('.');
    !name.is_empty() && name.len() <= 128 && !dotted && name.bytes().all(plain)
}

/// How long the server asks to wait: seconds, or a date against its own clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = text(headers, DATE.as_str()).and_then(|date| seconds_of(&date));
    let now = now.or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    });
    let wait = seconds_of(&value)?.saturating_sub(now?);
    Some(Duration::from_secs(wait.try_into().unwrap_or(0)))
}

/// `Wed, 21 Oct 2015 07:28:00 GMT` in seconds since 1970.
fn seconds_of(date: &str) -> Option<i64> {
    let words: Vec<&str> = date.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).filter(|at| at % 3 == 0)? as i64 / 3 + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let mut seconds = 0;
    for part in time.split(':') {
        seconds = seconds * 60 + part.parse::<u8>().ok().map(i64::from)?;
    }
    // days from the civil calendar: https://howardhinnant.github.io/date_algorithms.html
    let (year, month) = match (1970..10_000).contains(&year) && (1..=31).contains(&day) {
        true if month <= 2 => (year - 1, month + 9),
        true => (year, month - 3),
        false => return None,
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + seconds)
}

/// The status, and the hub's own words.
pub(super) fn words(status: StatusCode, headers: &HeaderMap) -> String {
    let clean = |name| {
        let text = text(headers, name)?;
        let text = text.chars().filter(|c| !c.is_control());
        Some(text.take(500).collect::<String>())
    };
    let message = clean("x-error-message").map(|message| format!(": {message}"));
    let code = clean("x-error-code").map(|code| format!(" ({code})"));
    let [message, code] = [message, code].map(Option::unwrap_or_default);
    format!("the server answered {status}{message}{code}")
}

/// What to do where the hub refuses.
pub(super) fn advice(status: StatusCode, headers: &HeaderMap, has_token: bool) -> &'static str {
    let code = text(headers, "x-error-code").unwrap_or_default();
    match (status.as_u16(), code.as_str(), has_token) {
        (_, "GatedRepo", true) => {
            "ask for access on the data set's page, with the account that the token (HF_TOKEN) is of"
        }
        (_, "GatedRepo", false) => {
            "ask for access on the data set's page, then set HF_TOKEN, or run `hf auth login`"
        }
        (401 | 403 | 404, "RepoNotFound", false) => {
            "check the name; a private set wants a token: set HF_TOKEN, or run `hf auth login`"
        }
        (_, "RevisionNotFound", _) => "check the revision",
        (_, "EntryNotFound", _) => "check the file's name and the revision",
        (401 | 403, _, false) => "it wants a token: set HF_TOKEN, or run `hf auth login`",
        (401 | 403, _, true) => {
            "the token (HF_TOKEN, or the file `token` in HF_HOME) is not accepted"
        }
        (404, ..) => "check the name (and HF_ENDPOINT), or give the data by its path",
        _ => "check HF_ENDPOINT, or give the data with --data PATH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            let name = ureq::http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        lines.collect()
    }

    #[test]
    fn an_etag_becomes_a_name_that_stays_in_its_folder() {
        let name = |etag: &str| file_name(etag).unwrap();
        assert_eq!(name("\"f00d\""), "f00d");
        assert_eq!(name("W/\"5d41402abc4b2a76-12\""), "5d41402abc4b2a76-12");
        assert_eq!(name("unquoted_1.2"), "unquoted_1.2");
        assert_eq!(name(&"AB".repeat(32)), "ab".repeat(32));
        for etag in [
            "\"../../f00d\"",
            "\"..\"",
            "\"a/b\"",
            "\"a+b==\"",
            "\"a b\"",
            &"x".repeat(300),
        ] {
            let name = name(etag);
            assert!(
                name.starts_with("etag-") && name.len() == 69,
                "{etag}: {name}"
            );
        }
        assert_eq!((file_name("\"\""), file_name("W/")), (None, None));
    }

    #[test]
    fn a_redirects_own_length_and_etag_are_not_the_files() {
        let mut said = Said::default();
        let redirect = [
            ("x-repo-commit", "abc"),
            ("content-length", "99"),
            ("etag", "\"r\""),
        ];
        said.hear(&headers(&redirect), true);
        assert!(!said.is_all());
        said.hear_file(
            &headers(&[("content-length", "12"), ("etag", "\"f\"")]),
            true,
        );
        let metadata = said.metadata().unwrap();
        assert_eq!((metadata.etag.as_str(), metadata.size), ("f", 12));
    }

    #[test]
    fn what_the_hub_says_of_a_file_comes_before_what_the_content_host_says() {
        let mut said = Said::default();
        let redirect = [("x-repo-commit", "abc"), ("x-linked-etag", "\"linked\"")];
        said.hear(&headers(&redirect), true);
        let file = [
            ("content-range", "bytes 0-0/1234"),
            ("content-length", "1"),
            ("etag", "\"host\""),
            ("x-repo-commit", "evil"),
        ];
        said.hear_file(&headers(&file), false);
        let expected = Metadata {
            commit: "abc".into(),
            etag: "linked".into(),
            size: 1234,
        };
        assert_eq!(said.metadata(), Some(expected));
    }

    #[test]
    fn a_commit_that_would_leave_the_cache_is_refused() {
        let mut said = Said::default();
        let file = [
            ("x-repo-commit", "../up"),
            ("etag", "\"f\""),
            ("content-length", "1"),
        ];
        said.hear_file(&headers(&file), true);
        assert_eq!(said.metadata(), None);
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date() {
        let wait = |lines: &[(&'static str, &str)]| retry_after(&headers(lines));
        assert_eq!(
            wait(&[("retry-after", " 7 ")]),
            Some(Duration::from_secs(7))
        );
        let dates = [
            ("date", "Wed, 28 Feb 2024 23:59:50 GMT"),
            ("retry-after", "Thu, 29 Feb 2024 00:00:05 GMT"),
        ];
        assert_eq!(wait(&dates), Some(Duration::from_secs(15)));
        let past = [("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")];
        assert_eq!(wait(&past), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(
            seconds_of("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(1_445_412_480)
        );
    }

    #[test]
    fn the_hubs_own_words_are_shown_and_nothing_that_moves_the_cursor() {
        let headers = headers(&[
            ("x-error-message", "Access is restricted"),
            ("x-error-code", "GatedRepo"),
        ]);
        assert_eq!(
            words(StatusCode::FORBIDDEN, &headers),
            "the server answered 403 Forbidden: Access is restricted (GatedRepo)"
        );
        assert!(advice(StatusCode::FORBIDDEN, &headers, true).contains("ask for access"));
        assert!(
            advice(StatusCode::UNAUTHORIZED, &HeaderMap::new(), false).contains("set HF_TOKEN")
        );
    }
}
