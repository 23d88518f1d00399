//! A server on the loopback that speaks the hub's protocol, and fails when told to.
//!
//! Two ports: the hub itself, which answers with the file's commit, ETag and size and redirects,
//! and the content host that it redirects to, which knows ranges.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

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
    pub(crate) authorization: Option<String>,
}

/// A running server; its threads end with the test.
pub(crate) struct HubServer {
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
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
            start: range.and_then(|r| r.trim_end_matches('-').parse().ok()),
            authorization: headers.get("authorization").cloned(),
        };
        self.seen.lock().unwrap().push(seen.clone());
        let bytes = match is_content {
            true => self.content(&seen),
            false => self.hub(&seen),
        };
        stream.write_all(&bytes).ok()
    }

    fn hub(&self, seen: &Seen) -> Vec<u8> {
        let faults = self.faults.lock().unwrap();
        if let Some(token) = faults.wants_token
            && seen.authorization.as_deref() != Some(&format!("Bearer {token}"))
        {
            return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_vec();
        }
        if seen.path == "/api/datasets/uoft-cs/cifar100/revision/main" {
            let file = |(name, _): &(&str, Vec<u8>)| format!("{{\"rfilename\":\"{name}\"}}");
            let files: Vec<String> = self.files.iter().map(file).collect();
            let json = format!(
                "{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}",
                files.join(",")
            );
            return format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
                json.len()
            )
            .into_bytes();
        }
        let published = seen.path.strip_prefix("/published/");
        if let Some((_, content)) = self.files.iter().find(|(name, _)| published == Some(*name)) {
            if seen.head {
                let length = content.len();
                return format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                )
                .into_bytes();
            }
            drop(faults);
            return self.send(seen, content);
        }
        let prefix = "/datasets/uoft-cs/cifar100/resolve/main/";
        let renamed = format!("/new{prefix}");
        let asked = match (seen.path.strip_prefix(&renamed), faults.renamed) {
            (Some(file), _) => Some(file),
            (None, true) => {
                return format!(
                    "HTTP/1.1 307 Temporary Redirect\r\nLocation: /new{}\r\n\
                     Content-Length: 0\r\nConnection: close\r\n\r\n",
                    seen.path
                )
                .into_bytes();
            }
            (None, false) => seen.path.strip_prefix(prefix),
        };
        let found = asked.and_then(|asked| self.files.iter().find(|(name, _)| *name == asked));
        let Some((_, content)) = found else {
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_vec();
        };
        let (sha256, host) = (sha256(content), &self.content_host);
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {host}/blobs/{sha256}?signed=1\r\n\
             X-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{sha256}\"\r\nETag: \"of-the-pointer\"\r\n\
             X-Linked-Size: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            content.len()
        )
        .into_bytes()
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
            return b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n"
                .to_vec();
        }
        let size = content.len();
        let start = match seen.start {
            Some(start) if !faults.ignores_ranges => start,
            _ => 0,
        };
        let status = match seen.start {
            Some(_) if !faults.ignores_ranges => {
                format!(
                    "206 Partial\r\nContent-Range: bytes {start}-{}/{size}",
                    size - 1
                )
            }
            _ => "200 OK".into(),
        };
        let mut body = content[start..].to_vec();
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
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
