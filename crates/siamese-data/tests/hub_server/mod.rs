//! A server on the loopback that speaks the hub's protocol, and fails when told to.
//!
//! Two ports: the hub itself, which answers with the file's commit, ETag and size and redirects,
//! and the content host that it redirects to, which knows ranges.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "aadb3af77e9048adbea6b47c21a81e47dd092ae5";

/// What goes wrong. The counters count down with each time it did.
#[derive(Default)]
pub(crate) struct Faults {
    /// Cut so many content answers after half of their bytes.
    pub(crate) cuts: usize,
    /// Change a byte in so many content answers.
    pub(crate) corruptions: usize,
    /// Answer so many content requests with 503.
    pub(crate) busy: usize,
    /// Send the whole file whatever range was asked for.
    pub(crate) ignores_ranges: bool,
    /// Answer 401 to whoever has not this token.
    pub(crate) wants_token: Option<&'static str>,
    /// Redirect to another path of the hub first, as for a renamed repository.
    pub(crate) renamed: bool,
    /// Answer so many requests to the hub itself with 503.
    pub(crate) hub_busy: usize,
    /// Answer all requests to the hub with this status and these lines.
    pub(crate) refuses: Option<(&'static str, &'static str)>,
    /// Serve files by the hub itself, after a redirect with this status and location that tells of the commit and
    /// not of the size; `HOST` stands for the hub's.
    pub(crate) resolves: Option<(&'static str, &'static str)>,
    /// Do not answer when the headers alone are asked for.
    pub(crate) no_heads: bool,
    /// Claim that every file is so long.
    pub(crate) claims: Option<u64>,
    /// Send content a byte at a time, with a rest after each.
    pub(crate) drips: Option<Duration>,
    /// Send half of what is asked for from the start, and another range than asked for from elsewhere.
    pub(crate) wrong_ranges: bool,
    /// The content host's redirects tell neither size nor ETag.
    pub(crate) tells_little: bool,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) to_content_host: bool,
    pub(crate) path: String,
    /// Whether the headers alone were asked for.
    pub(crate) head: bool,
    /// The first byte asked for.
    pub(crate) start: Option<usize>,
    /// The last byte asked for.
    pub(crate) end: Option<usize>,
    pub(crate) authorization: Option<String>,
}

/// A running server; its threads end with the test.
pub(crate) struct HubServer {
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: String,
    content_host: String,
    /// Path in the repository, and content.
    files: Vec<(&'static str, Vec<u8>)>,
    faults: Mutex<Faults>,
    seen: Mutex<Vec<Seen>>,
}

impl HubServer {
    pub(crate) fn start(files: Vec<(&'static str, Vec<u8>)>, faults: Faults) -> Self {
        let [hub, content] = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let endpoint = address(&hub);
        let shared = Arc::new(Shared {
            endpoint: endpoint.clone(),
            content_host: address(&content),
            files,
            faults: Mutex::new(faults),
            seen: Mutex::default(),
        });
        for (listener, is_content) in [(hub, false), (content, true)] {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.answer(stream, is_content));
                }
            });
        }
        Self { endpoint, shared }
    }

    /// What goes wrong from now on.
    pub(crate) fn suffers(&self, faults: Faults) {
        *self.shared.faults.lock().unwrap() = faults;
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The first bytes asked for in requests for content, file by file in one list.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let seen = self.seen();
        let content = seen
            .iter()
            .filter(|seen| seen.to_content_host || seen.path.starts_with("/published/"));
        content.filter_map(|seen| seen.start).collect()
    }
}

/// An address on which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Shared {
    fn answer(&self, mut stream: TcpStream, is_content: bool) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let request = lines.next()?.ok()?;
        let mut words = request.split(' ').map(String::from);
        let (method, path) = (words.next()?, words.next()?);
        let headers: HashMap<String, String> = lines
            .map_while(|line| line.ok().filter(|line| !line.is_empty()))
            .filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                Some((name.to_lowercase(), value.to_string()))
            })
            .collect();
        let range = headers.get("range").and_then(|r| r.strip_prefix("bytes="));
        let seen = Seen {
            to_content_host: is_content,
            path,
            head: method == "HEAD",
            start: range.and_then(|r| r.split('-').next()?.parse().ok()),
            end: range.and_then(|r| r.split('-').nth(1)?.parse().ok()),
            authorization: headers.get("authorization").cloned(),
        };
        self.seen.lock().unwrap().push(seen.clone());
        let bytes = match is_content {
            true => self.content(&seen),
            false => self.hub(&seen),
        };
        let drips = self.faults.lock().unwrap().drips;
        match drips.filter(|_| is_content) {
            None => stream.write_all(&bytes).ok(),
            Some(rest) => bytes.chunks(1).try_for_each(|byte| {
                let in_body = bytes.windows(4).position(|w| w == b"\r\n\r\n");
                let at = byte.as_ptr().addr() - bytes.as_ptr().addr();
                if in_body.is_some_and(|end| at > end + 4) {
                    thread::sleep(rest);
                }
                stream.write_all(byte).ok()
            }),
        }
    }

    fn hub(&self, seen: &Seen) -> Vec<u8> {
        let mut faults = self.faults.lock().unwrap();
        if let Some(token) = faults.wants_token
            && seen.authorization.as_deref() != Some(&format!("Bearer {token}"))
        {
            return head("401 Unauthorized", "", 0);
        }
        if faults.hub_busy > 0 {
            faults.hub_busy -= 1;
            return head("503 Busy", "Retry-After: 0\r\n", 0);
        }
        if seen.head && faults.no_heads {
            return head("405 Method Not Allowed", "", 0);
        }
        if let Some((status, lines)) = faults.refuses {
            return head(status, lines, 0);
        }
        let of_model =
            |path: &str| path.starts_with("/api/models/timm/") && path.ends_with("/revision/main");
        if seen.path == "/api/datasets/uoft-cs/cifar100/revision/main" || of_model(&seen.path) {
            let json = self.list();
            return [head("200 OK", "", json.len()), json.into_bytes()].concat();
        }
        let file = |path: &str| self.files.iter().find(|(name, _)| *name == path);
        let published = seen.path.strip_prefix("/published/").and_then(file);
        let resolved = seen.path.split("/resolved/").nth(1).and_then(file);
        if let Some((_, content)) = published.or(resolved) {
            if seen.head {
                let lines = format!(
                    "X-Repo-Commit: {COMMIT}\r\nETag: W/\"{}\"\r\n",
                    etag(content)
                );
                return head("200 OK", &lines, content.len());
            }
            drop(faults);
            return self.send(seen, content);
        }
        let prefix = "/datasets/uoft-cs/cifar100/resolve/main/";
        let renamed = format!("/new{prefix}");
        let asked = match (seen.path.strip_prefix(&renamed), faults.renamed) {
            (Some(path), _) => Some(path),
            (None, true) => {
                let lines = format!("Location: /new{}\r\n", seen.path);
                return head("307 Temporary Redirect", &lines, 0);
            }
            (None, false) => seen.path.strip_prefix(prefix).or_else(|| {
                let (model, path) = seen.path.split_once("/resolve/main/")?;
                model.starts_with("/timm/").then_some(path)
            }),
        };
        match asked.and_then(file) {
            None => head("404 Not Found", "", 0),
            Some(file) => self.redirect(file, &faults),
        }
    }

    fn list(&self) -> String {
        let file = |(name, _): &(&str, Vec<u8>)| format!("{{\"rfilename\":\"{name}\"}}");
        let files: Vec<String> = self.files.iter().map(file).collect();
        format!(
            "{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}",
            files.join(",")
        )
    }

    /// The hub's answer for a file: where it is, and what is known of it.
    fn redirect(&self, (name, content): &(&str, Vec<u8>), faults: &Faults) -> Vec<u8> {
        let commit = format!("X-Repo-Commit: {COMMIT}\r\n");
        if let Some((status, location)) = faults.resolves {
            let host = self.endpoint.trim_start_matches("http://");
            let location = location.replace("HOST", host) + name;
            let body = "Temporary Redirect. Redirecting elsewhere";
            let lines = format!("{commit}Location: {location}\r\nETag: \"of-the-redirect\"\r\n");
            return [head(status, &lines, body.len()), body.into()].concat();
        }
        let (sha256, host) = (sha256(content), &self.content_host);
        let location = format!("{commit}Location: {host}/blobs/{sha256}?signed=1\r\n");
        let linked = format!(
            "X-Linked-Etag: \"{sha256}\"\r\nX-Linked-Size: {}\r\n",
            faults.claims.unwrap_or(content.len() as u64)
        );
        let lines = match faults.tells_little {
            true => location,
            false => format!("{location}{linked}ETag: \"of-the-pointer\"\r\n"),
        };
        head("302 Found", &lines, 0)
    }

    fn content(&self, seen: &Seen) -> Vec<u8> {
        let found = self.files.iter().find(|(_, content)| {
            let path = format!("/blobs/{}?signed=1", sha256(content));
            path == seen.path
        });
        let (_, content) = found.expect("the hub named one of its files");
        self.send(seen, content)
    }

    /// The content from where it was asked for, with what goes wrong.
    fn send(&self, seen: &Seen, content: &[u8]) -> Vec<u8> {
        let mut faults = self.faults.lock().unwrap();
        if faults.busy > 0 {
            faults.busy -= 1;
            return head("503 Busy", "Retry-After: 0\r\n", 0);
        }
        let size = content.len();
        let (start, end) = match (seen.start, seen.end) {
            (Some(start), end) if !faults.ignores_ranges => {
                (start, end.map_or(size, |end| end + 1))
            }
            _ => (0, size),
        };
        let mut body = content[start..end].to_vec();
        if faults.wrong_ranges {
            let range = format!("Content-Range: bytes 1-{}/{size}\r\n", size - 1);
            return match start {
                0 => [head("200 OK", "", size), body[..size / 2].to_vec()].concat(),
                _ => [head("206 Partial", &range, size - 1), body].concat(),
            };
        }
        let mut answer = match seen.start {
            Some(_) if !faults.ignores_ranges => {
                let range = format!("Content-Range: bytes {start}-{}/{size}\r\n", end - 1);
                head("206 Partial", &range, body.len())
            }
            _ => head("200 OK", "", body.len()),
        };
        if faults.corruptions > 0 {
            faults.corruptions -= 1;
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        if faults.cuts > 0 {
            faults.cuts -= 1;
            body.truncate(body.len() / 2);
        }
        answer.extend(body);
        answer
    }
}

/// The ETag of a file that the hub serves itself.
pub(crate) fn etag(content: &[u8]) -> String {
    format!("{}-{}", &sha256(content)[..32], content.len())
}

/// The head of an answer.
fn head(status: &str, lines: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n")
        .into()
}
