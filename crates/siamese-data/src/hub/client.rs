//! Requests to the hub: redirects, the token, and another try where that may help.

use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, LOCATION, RANGE};

use super::address::{Origin, join};
use super::agents::Agents;
use super::answer::{self, Metadata, Said};
use super::failure::Failure;
use super::options::HubOptions;
use super::pace::Paced;
use crate::{DataError, Progress};

const MAX_REDIRECTS: usize = 8;

/// How often a hub that cannot be reached is knocked at again: it seldom comes back within a command.
const RECONNECTIONS: u32 = 2;

/// The longest answer that is kept in memory.
const MAX_ANSWER: u64 = 64 << 20;

/// The longest wait between two tries; who asks for more is not waited for.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// An HTTP client that never sends the token to another host than the hub's.
pub(super) struct Client<'a> {
    agents: Agents,
    hub: Origin,
    options: &'a HubOptions,
    progress: Progress,
    /// How often in a row no connection may come about, beyond the first time.
    reconnections: u32,
}

/// What to ask for.
#[derive(Clone, Copy)]
enum Request {
    /// The headers alone.
    Head,
    /// The content from one byte on.
    From(u64),
    /// One byte, and with it the headers: an address that is signed for reading refuses to give them alone.
    FirstByte,
}

impl<'a> Client<'a> {
    /// # Errors
    ///
    /// [`DataError::Setting`] if the options cannot be as they are.
    pub(super) fn new(options: &'a HubOptions, progress: Progress) -> Result<Self, DataError> {
        let hub = options.check()?;
        Ok(Self {
            agents: Agents::new(options)?,
            hub,
            options,
            progress,
            reconnections: options.retries.min(RECONNECTIONS),
        })
    }

    /// A client that gives up a hub that cannot be reached at once; a busy one it asks again.
    pub(super) fn hasty(options: &'a HubOptions, progress: Progress) -> Result<Self, DataError> {
        Ok(Self {
            reconnections: 0,
            ..Self::new(options, progress)?
        })
    }

    /// The commit, the ETag and the size of the file at `url`.
    pub(super) fn metadata(&self, url: &str) -> Result<Metadata, DataError> {
        let said = self.patiently(|| self.ask(url))?;
        said.metadata().ok_or_else(|| DataError::Refused {
            url: url.into(),
            reason: "the answer does not name commit, ETag and size as the hub's does".into(),
            advice: "check HF_ENDPOINT",
        })
    }

    /// The size of the file at `url`, which is none of the hub's.
    pub(super) fn size(&self, url: &str) -> Result<u64, DataError> {
        let said = self.patiently(|| self.ask(url))?;
        said.size().ok_or_else(|| DataError::Refused {
            url: url.into(),
            reason: "the answer does not name a size".into(),
            advice: "fetch the file with another program, and give its path",
        })
    }

    /// The content at `url`, which is short.
    pub(super) fn fetch(&self, url: &str) -> Result<Vec<u8>, DataError> {
        self.patiently(|| {
            let response = self.send(url, 0)?;
            let mut bytes = Vec::new();
            let body = self.body_of(response);
            body.take(MAX_ANSWER)
                .read_to_end(&mut bytes)
                .map_err(|error| Failure::passing(error.to_string()))?;
            Ok(bytes)
        })
    }

    /// The body of an answer, which must not come too slowly.
    pub(super) fn body_of(&self, response: Response<Body>) -> impl Read {
        let body = response.into_body().into_reader();
        Paced::new(body, self.options.read_timeout, self.options.min_rate)
    }

    /// Tries, again while that may help.
    fn patiently<T>(&self, attempt: impl Fn() -> Result<T, Failure>) -> Result<T, DataError> {
        let mut failures = 0;
        loop {
            match attempt() {
                Ok(found) => return Ok(found),
                Err(failure) => {
                    self.wait_out(failure, &mut failures, |last| last.given_up(&self.hub))?;
                }
            }
        }
    }

    /// Sleeps before the next try, or fails: at once if `failure` is final or asks for too long a wait, and with
    /// what `give_up` makes of it if there were too many `failures` in a row.
    pub(super) fn wait_out(
        &self,
        failure: Failure,
        failures: &mut u32,
        give_up: impl FnOnce(Failure) -> DataError,
    ) -> Result<(), DataError> {
        let (asked, tries) = match &failure {
            Failure::Final(_) => return Err(failure.given_up(&self.hub)),
            Failure::NoConnection(_) => (None, self.reconnections),
            Failure::Passing { retry_after, .. } => (*retry_after, self.options.retries),
        };
        let doubled = 2u32.saturating_pow(*failures);
        let backoff = self.options.backoff.saturating_mul(doubled);
        let wait = asked.unwrap_or(backoff.min(MAX_WAIT));
        if *failures >= tries || wait > MAX_WAIT {
            return Err(give_up(failure));
        }
        let seconds = wait.as_secs_f64();
        let reason = failure.reason();
        self.progress
            .note(&format!("{reason}; trying again in {seconds:.0} s"));
        sleep(wait);
        *failures += 1;
        Ok(())
    }

    /// Follows `url` until all is known of the file it leads to.
    fn ask(&self, url: &str) -> Result<Said, Failure> {
        let mut said = Said::default();
        let mut url = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let of_hub = self.is_hub(&url);
            let response = self.headers_of(&url, of_hub)?;
            match leads_to(&url, &response)? {
                Some(next) => {
                    said.hear(response.headers(), of_hub);
                    if said.is_all() {
                        return Ok(said);
                    }
                    url = next;
                }
                None => {
                    let response = self.judge(&url, response)?;
                    said.hear_file(response.headers(), of_hub);
                    return Ok(said);
                }
            }
        }
        Err(in_a_circle(&url))
    }

    /// The headers of the answer at `url`: alone, where the hub is asked and does answer so.
    fn headers_of(&self, url: &str, of_hub: bool) -> Result<Response<Body>, Failure> {
        if of_hub {
            let response = self.send_once(url, Request::Head)?;
            let status = response.status();
            let says_little =
                status.is_success() && !response.headers().contains_key(CONTENT_LENGTH);
            // not every server between us and the hub answers for the headers alone
            if !says_little && !matches!(status.as_u16(), 405 | 501) {
                return Ok(response);
            }
        }
        self.send_once(url, Request::FirstByte)
    }

    /// Asks for the content from the byte `start` on, and follows where that leads.
    pub(super) fn send(&self, url: &str, start: u64) -> Result<Response<Body>, Failure> {
        let mut url = url.to_string();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(&url, Request::From(start))?;
            match leads_to(&url, &response)? {
                Some(next) => url = next,
                None => return self.judge(&url, response),
            }
        }
        Err(in_a_circle(&url))
    }

    fn send_once(&self, url: &str, request: Request) -> Result<Response<Body>, Failure> {
        let (agent, proxy) = self.agents.to(url);
        let mut builder = match request {
            Request::Head => agent.head(url),
            Request::From(_) | Request::FirstByte => agent.get(url),
        }
        // A compressed body would have another length than the file.
        .header(ACCEPT_ENCODING, "identity");
        builder = match request {
            Request::Head => builder,
            Request::From(start) => builder.header(RANGE, format!("bytes={start}-")),
            Request::FirstByte => builder.header(RANGE, "bytes=0-0"),
        };
        if let Some(token) = &self.options.token
            && self.is_hub(url)
        {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        builder
            .call()
            .map_err(|error| Failure::of(error, url, proxy))
    }

    fn is_hub(&self, url: &str) -> bool {
        Origin::of(url).is_some_and(|origin| origin == self.hub)
    }

    /// Tells a good answer from a busy server and from a refusal.
    fn judge(&self, url: &str, response: Response<Body>) -> Result<Response<Body>, Failure> {
        let (status, headers) = (response.status(), response.headers());
        match (status.as_u16(), self.is_hub(url)) {
            (200 | 206 | 416, _) => Ok(response),
            // A content host's address is signed and ages: the hub gives out a new one.
            (408 | 429 | 500.., _) | (403 | 404, false) => Err(Failure::Passing {
                reason: answer::words(status, headers),
                retry_after: answer::retry_after(headers),
            }),
            _ => Err(Failure::Final(DataError::Refused {
                url: url.into(),
                reason: answer::words(status, headers),
                advice: answer::advice(status, headers, self.options.token.is_some()),
            })),
        }
    }
}

/// Where an answer redirects to, if it does.
fn leads_to(url: &str, response: &Response<Body>) -> Result<Option<String>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = answer::text(response.headers(), LOCATION.as_str()).unwrap_or_default();
    match join(url, &location) {
        Some(next) if is_open(&next) && !is_open(url) => Err(refused(
            url,
            format!(
                "it redirects from https to {location:?}, which anyone on the way can read and change"
            ),
        )),
        Some(next) => Ok(Some(next)),
        None => Err(refused(
            url,
            format!("it redirects to {location:?}, which is nowhere"),
        )),
    }
}

/// Whether what is sent to `url` and comes from there is open to all on the way.
fn is_open(url: &str) -> bool {
    !Origin::of(url).is_some_and(|origin| origin.is_https())
}

fn in_a_circle(url: &str) -> Failure {
    refused(url, "it redirects in a circle".into())
}

fn refused(url: &str, reason: String) -> Failure {
    Failure::Final(DataError::Refused {
        url: url.into(),
        reason,
        advice: "check HF_ENDPOINT",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_leads_out_of_what_is_secret() {
        let leads = |from: &str, to: &str| {
            let answer = Response::builder().status(302).header(LOCATION, to);
            leads_to(from, &answer.body(Body::builder().data("")).unwrap())
        };
        for to in ["http://hub/x", "HTTP://other/x", "//hub:80/x"] {
            match leads("https://hub/a", to) {
                Ok(next) => assert!(next.unwrap().starts_with("https://"), "{to}"),
                Err(Failure::Final(error)) => {
                    assert!(error.to_string().contains("from https to"), "{error}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(leads("https://hub/a", "http://hub/x").is_err());
        let next = |from, to| leads(from, to).unwrap().unwrap();
        assert_eq!(next("https://hub/a", "/b"), "https://hub/b");
        assert_eq!(next("http://hub/a", "http://other/b"), "http://other/b");
    }
}
