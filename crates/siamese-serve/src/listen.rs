//! Connections: accepted, bounded in number and in time, and finished before the server ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::error::Error;
use crate::event::Event;
use crate::gate::Gate;

/// The head of a request arrives within this, or the connection ends.
const HEAD: Duration = Duration::from_secs(10);
/// After a connection could not be accepted, for want of file descriptors.
const REST: Duration = Duration::from_millis(50);

/// Answers by `router` until the process is asked to end.
pub(crate) async fn listen(router: Router, config: &Config, gate: &Gate) -> Result<(), Error> {
    let address = config.address;
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let mut wish = Wish::new()?;
    (gate.told)(Event::Listening(listener.local_addr().map_err(failed)?));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(config.limits.connections));
    loop {
        let place = places.clone().acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            both = accepted => both,
            () = wish.comes() => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        stream.set_nodelay(true).ok(); // an answer is a few packets
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD);
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            connection.await.ok(); // whoever went away needs no answer
        });
    }
    drop(listener);
    (gate.told)(Event::Ending);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(config.limits.time) => {}
        () = wish.comes() => {}
    }
    Ok(())
}

/// The signals that ask a process to end.
#[cfg(unix)]
struct Wish {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Wish {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Wish;

#[cfg(not(unix))]
impl Wish {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn comes(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
