//! Requests to the hub: redirects, the token, and what an answer means.

use std::io::Read;
use std::time::Duration;

use ureq::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HeaderMap, LOCATION, RANGE, RETRY_AFTER,
};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::{HubOptions, Metadata};
use crate::{DataError, Progress};

const MAX_REDIRECTS: usize = 8;

/// The longest answer that is kept in memory.
const MAX_ANSWER: u64 = 64 << 20;

/// The longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// An HTTP client that never sends the token to another host than the hub's.
pub(super) struct Client<'a> {
    agent: Agent,
    options: &'a HubOptions,
    progress: Progress,
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Worth another try: no connection, no answer, or the server is busy.
    Passing {
        reason: String,
        retry_after: Option<Duration>,
    },
    /// The server's last word.
    Final(DataError),
}

/// What to ask for.
#[derive(Clone, Copy)]
pub(super) enum Request {
    /// The headers alone, up to the first answer that names the commit.
    Head,
    /// The content from this byte on.
    GetFrom(u64),
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a HubOptions, progress: Progress) -> Self {
        let agent = Agent::config_builder()
            .user_agent(concat!("siamese/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(options.connect_timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.read_timeout))
            .timeout_per_read(Some(options.read_timeout))
            .build()
            .new_agent();
        Self {
            agent,
            options,
            progress,
        }
    }

    /// The commit, the ETag and the size of the file at `url`.
    pub(super) fn metadata(&self, url: &str) -> Result<Metadata, DataError> {
        let response = self.patiently(url, Request::Head)?;
        parse_metadata(response.headers()).ok_or_else(|| DataError::Refused {
            url: url.into(),
            reason: "the answer does not name commit, ETag and size as the hub's does".into(),
            advice: "check HF_ENDPOINT",
        })
    }

    /// The size of the file at `url`, which is none of the hub's.
    pub(super) fn size(&self, url: &str) -> Result<u64, DataError> {
        let response = self.patiently(url, Request::Head)?;
        let length = header(response.headers(), CONTENT_LENGTH.as_str());
        length
            .and_then(|length| length.parse().ok())
            .ok_or_else(|| DataError::Refused {
                url: url.into(),
                reason: "the answer does not name a size".into(),
                advice: "fetch the file with another program, and give its path",
            })
    }

    /// The content at `url`, which is short.
    pub(super) fn fetch(&self, url: &str) -> Result<Vec<u8>, DataError> {
        let response = self.patiently(url, Request::GetFrom(0))?;
        let mut bytes = Vec::new();
        let read = response
            .into_body()
            .into_reader()
            .take(MAX_ANSWER)
            .read_to_end(&mut bytes);
        read.map_err(|error| self.unreachable(error.to_string()))?;
        Ok(bytes)
    }

    /// Sends a request, again while that may help.
    fn patiently(&self, url: &str, request: Request) -> Result<Response<Body>, DataError> {
        let mut failures = 0;
        loop {
            match self.send(url, request) {
                Ok(response) => return Ok(response),
                Err(failure) => {
                    self.wait_out(failure, &mut failures, |reason| self.unreachable(reason))?
                }
            }
        }
    }

    fn unreachable(&self, reason: String) -> DataError {
        DataError::Unreachable {
            url: self.options.endpoint.clone(),
            reason,
        }
    }

    /// Sleeps before the next try, or fails: at once if `failure` is final, and with what
    /// `give_up` makes of the reason if there were too many `failures` in a row.
    pub(super) fn wait_out(
        &self,
        failure: Failure,
        failures: &mut u32,
        give_up: impl FnOnce(String) -> DataError,
    ) -> Result<(), DataError> {
        let (reason, retry_after) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { reason, .. } if *failures >= self.options.retries => {
                return Err(give_up(reason));
            }
            Failure::Passing {
                reason,
                retry_after,
            } => (reason, retry_after),
        };
        let doubled = 2u32.saturating_pow(*failures);
        let backoff = self.options.backoff.saturating_mul(doubled);
        let wait = retry_after.unwrap_or(backoff).min(MAX_WAIT);
        let seconds = wait.as_secs_f64();
        self.progress
            .note(&format!("{reason}; trying again in {seconds:.0} s"));
        std::thread::sleep(wait);
        *failures += 1;
        Ok(())
    }

    /// Sends a request and follows where it leads.
    pub(super) fn send(&self, url: &str, request: Request) -> Result<Response<Body>, Failure> {
        let mut url = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(&url, request)?;
            if !response.status().is_redirection() {
                return self.judge(&url, response);
            }
            if matches!(request, Request::Head) && response.headers().contains_key("x-repo-commit")
            {
                return Ok(response);
            }
            url = header(response.headers(), LOCATION.as_str())
                .and_then(|location| resolve(&url, location))
                .ok_or_else(|| refused(&url, "it redirects to nowhere"))?;
        }
        Err(refused(&url, "it redirects in a circle"))
    }

    fn send_once(&self, url: &str, request: Request) -> Result<Response<Body>, Failure> {
        let mut builder = match request {
            Request::Head => self.agent.head(url),
            Request::GetFrom(_) => self.agent.get(url),
        }
        // A compressed body would have another length than the file.
        .header(ACCEPT_ENCODING, "identity");
        if let Request::GetFrom(start) = request {
            builder = builder.header(RANGE, format!("bytes={start}-"));
        }
        if let Some(token) = &self.options.token
            && origin(url) == origin(&self.options.endpoint)
        {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        builder.call().map_err(|error| Failure::Passing {
            reason: error.to_string(),
            retry_after: None,
        })
    }

    /// Tells a good answer from a busy server and from a refusal.
    fn judge(&self, url: &str, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = response.status();
        let from_hub = origin(url) == origin(&self.options.endpoint);
        let advice = match status.as_u16() {
            200 | 206 | 416 => return Ok(response),
            401 | 403 if from_hub && self.options.token.is_none() => {
                "it wants a token: set HF_TOKEN, or run `hf auth login`"
            }
            401 | 403 if from_hub => {
                "the token (HF_TOKEN, or the file `token` in HF_HOME) is not accepted"
            }
            404 if from_hub => "check the name (and HF_ENDPOINT), or give the data by its path",
            // A content host's address is signed and ages: the hub gives out a new one.
            429 | 500.. | 403 | 404 => {
                let after = header(response.headers(), RETRY_AFTER.as_str());
                return Err(Failure::Passing {
                    reason: format!("the server answered {status}"),
                    retry_after: after.and_then(|s| s.parse().ok()).map(Duration::from_secs),
                });
            }
            _ => "check HF_ENDPOINT, or give the data with --data PATH",
        };
        Err(Failure::Final(DataError::Refused {
            url: url.into(),
            reason: format!("the server answered {status}"),
            advice,
        }))
    }
}

fn refused(url: &str, reason: &str) -> Failure {
    Failure::Final(DataError::Refused {
        url: url.into(),
        reason: reason.into(),
        advice: "check HF_ENDPOINT",
    })
}

pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn parse_metadata(headers: &HeaderMap) -> Option<Metadata> {
    let get = |name| header(headers, name);
    let etag = get("x-linked-etag").or_else(|| get("etag"))?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_string();
    let commit = get("x-repo-commit")?.to_string();
    let size = get("x-linked-size").or_else(|| get("content-length"))?;
    // Both become file names.
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let metadata = Metadata {
        size: size.parse().ok()?,
        etag,
        commit,
    };
    (plain(&metadata.etag) && plain(&metadata.commit)).then_some(metadata)
}

/// Scheme, host and port of an address.
pub(super) fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.into(), uri.authority()?.as_str().into()))
}

/// Where `location` leads from `base`: an address of its own, or a path on the same host.
fn resolve(base: &str, location: &str) -> Option<String> {
    let uri: Uri = location.parse().ok()?;
    if uri.scheme().is_some() {
        return Some(location.into());
    }
    let (scheme, host) = origin(base)?;
    location
        .starts_with('/')
        .then(|| format!("{scheme}://{host}{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_cache_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert("x-repo-commit", "abc".parse().unwrap());
        headers.insert("x-linked-size", "12".parse().unwrap());
        headers.insert("etag", "\"f00d\"".parse().unwrap());
        assert_eq!(parse_metadata(&headers).unwrap().etag, "f00d");
        headers.insert("etag", "\"../../f00d\"".parse().unwrap());
        assert!(parse_metadata(&headers).is_none());
    }

    #[test]
    fn a_location_is_an_address_or_a_path_on_the_same_host() {
        let base = "http://hub:81/datasets/x";
        assert_eq!(resolve(base, "/y").unwrap(), "http://hub:81/y");
        assert_eq!(
            resolve(base, "https://cdn/z?q=1").unwrap(),
            "https://cdn/z?q=1"
        );
        assert_eq!(resolve(base, "y"), None);
    }
}
