//! What a server tells of itself; whoever runs it prints it.

use std::net::SocketAddr;
use std::time::Duration;

/// What a server tells of itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It can be reached.
    Listening(SocketAddr),
    /// It has answered.
    Answered(Answered),
    /// Something of its own went wrong: what the request is not told.
    Fault {
        /// The request's number.
        id: String,
        /// What went wrong.
        why: String,
    },
    /// It was asked to end, and finishes what it has begun.
    Ending,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Its number, which the answer has as `x-request-id`.
    pub id: String,
    /// `GET`, `POST`, ….
    pub method: String,
    /// Without what follows a question mark.
    pub path: String,
    /// As HTTP counts it.
    pub status: u16,
    /// How long it took.
    pub time: Duration,
}
