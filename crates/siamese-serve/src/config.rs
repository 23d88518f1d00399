//! Where a server listens, whom it answers, and how much may be asked of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::error::Error;

/// Fewer characters of a token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How a server is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Who may use it.
    pub access: Access,
    /// Names by which browsers may call it, beside addresses and `localhost`, where it wants no token.
    pub names: Vec<String>,
    /// How much may be asked of it.
    pub limits: Limits,
}

/// Who may use a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever is on this machine: it listens on the loopback alone.
    Loopback,
    /// Whoever sends `Authorization: Bearer TOKEN`.
    Token(String),
    /// Whoever reaches it.
    Anyone,
}

/// How much may be asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Pixels of a picture, by the size that it declares: refused before it is decoded.
    pub pixels: u64,
    /// Pictures of a request.
    pub pictures: usize,
    /// Classes or entries of an answer.
    pub k: usize,
    /// Requests with pictures or of the gallery that are worked on at once; one more is refused with 503.
    pub requests: usize,
    /// Connections that are open at once; one more waits.
    pub connections: usize,
    /// Images that wait for the model; what would be more is refused with 503.
    pub queue: usize,
    /// How long the first image waits for others to be embedded with, where others are on their way.
    pub window: Duration,
    /// Images that pass through the model at once.
    pub batch: usize,
    /// How long a request may take, and how long one may take to arrive.
    pub time: Duration,
    /// How long it may take to find out where two pictures agree; the grid is as fine as that allows.
    pub explanation: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            access: Access::Loopback,
            names: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 32 << 20,
            pixels: 64_000_000,
            pictures: 16,
            k: 100,
            requests: 64,
            connections: 512,
            queue: 1024,
            window: Duration::from_millis(8),
            batch: 32,
            time: Duration::from_secs(30),
            explanation: Duration::from_millis(1200),
        }
    }
}

impl Config {
    /// Refuses to be reached from elsewhere by accident, and what cannot work.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: &str| Err(Error::Config(why.into()));
        match &self.access {
            Access::Loopback if !self.address.ip().is_loopback() => {
                return Err(Error::Exposed(self.address.ip()));
            }
            Access::Token(token) if token.len() < SHORTEST_TOKEN => {
                return wrong(
                    "a token has 16 characters or more: `openssl rand -hex 16` makes one",
                );
            }
            Access::Token(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return wrong("a token is of letters, digits and signs, without blanks");
            }
            _ => {}
        }
        let limits = &self.limits;
        let counts = [
            ("body", limits.body),
            ("pictures", limits.pictures),
            ("k", limits.k),
            ("requests", limits.requests),
            ("connections", limits.connections),
            ("queue", limits.queue),
            ("batch", limits.batch),
        ];
        match counts.iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => wrong(&format!("a limit of 0 for {name} would refuse everything")),
            None if limits.pixels == 0 || limits.time.is_zero() => {
                wrong("a limit of 0 for pixels or time would refuse everything")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(access: Access, address: [u8; 4]) -> String {
        let config = Config {
            address: (address, 80).into(),
            access,
            ..Config::default()
        };
        config
            .check()
            .err()
            .map_or(String::new(), |e| e.to_string())
    }

    #[test]
    fn being_reached_from_elsewhere_wants_a_token_or_an_explicit_word() {
        assert_eq!(said(Access::Loopback, [127, 0, 0, 1]), "");
        assert!(said(Access::Loopback, [0, 0, 0, 0]).contains("--no-token"));
        assert_eq!(said(Access::Anyone, [0, 0, 0, 0]), "");
        assert_eq!(
            said(Access::Token("0123456789abcdef".into()), [0, 0, 0, 0]),
            ""
        );
        assert!(said(Access::Token("short".into()), [0, 0, 0, 0]).contains("16 characters"));
        assert!(said(Access::Token("0123456789 abcdef".into()), [0; 4]).contains("without blanks"));
    }
}
