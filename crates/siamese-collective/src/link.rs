//! The two connections of a process in a ring: to the next, which it writes to, and from the one before.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::frame::{HEAD, Head, Kind};

/// A process that has nothing to say says so this often.
const BEAT: Duration = Duration::from_secs(1);
/// How long a read waits before it looks about.
const LOOK: Duration = Duration::from_millis(100);
/// After a failed write the ring is given this long to tell who is gone: it may not be the next.
const GRACE: Duration = Duration::from_secs(2);
/// Memory is asked for by so many bytes, as they come.
const PIECE: usize = 1 << 20;

/// When and why writing to the next process failed.
type Broken = Arc<Mutex<Option<(Instant, String)>>>;

/// The two connections of a process.
pub(crate) struct Link {
    rank: usize,
    size: usize,
    from: TcpStream,
    /// Silence after which the one before counts as gone.
    patience: Duration,
    heard: Instant,
    out: Option<Sender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    broken: Broken,
    /// What came before it was asked for.
    early: Option<(Head, Vec<u8>)>,
    /// What ended the exchange; it stays.
    ended: Option<Error>,
}

impl Link {
    /// Takes connections over; a thread writes what is sent, and a sign of life where there is nothing.
    pub(crate) fn new(
        (rank, size): (usize, usize),
        (from, to): (TcpStream, TcpStream),
        patience: Duration,
    ) -> std::io::Result<Self> {
        from.set_read_timeout(Some(LOOK))?;
        to.set_write_timeout(Some(patience))?;
        to.set_nodelay(true)?;
        let (out, waiting) = channel();
        let broken = Broken::default();
        let noted = Arc::clone(&broken);
        let thread = std::thread::Builder::new().name("ring".into());
        let writer = thread.spawn(move || write(to, &waiting, &noted))?;
        Ok(Self {
            rank,
            size,
            from,
            patience,
            heard: Instant::now(),
            out: Some(out),
            writer: Some(writer),
            broken,
            early: None,
            ended: None,
        })
    }

    /// Sends a part of an exchange to the next process; that it failed is found while receiving.
    pub(crate) fn send(&self, exchange: u8, turn: u32, bytes: &[u8]) {
        self.put(Head::frame(Kind::Data, exchange, turn, bytes));
    }

    fn put(&self, frame: Vec<u8>) {
        if let Some(out) = &self.out {
            // a writer that has ended has noted why
            let _ = out.send(frame);
        }
    }

    /// The part of this exchange that the process before sent.
    pub(crate) fn receive(&mut self, exchange: u8, turn: u32) -> Result<Vec<u8>> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        self.heard = Instant::now();
        let received = self.data(exchange, turn);
        received.inspect_err(|error| self.end(error))
    }

    /// Nothing, as long as no process is known to be gone. What comes meanwhile is kept for [`Link::receive`].
    pub(crate) fn alive(&mut self) -> Result<()> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        let looked = self.look_ahead();
        looked.inspect_err(|error| self.end(error))
    }

    fn look_ahead(&mut self) -> Result<()> {
        while self.early.is_none() {
            match self.from.peek(&mut [0]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return self.look_about();
                }
                _ => self.early = self.next_data()?,
            }
        }
        Ok(())
    }

    /// Lets the next know what ended the exchange.
    fn end(&mut self, error: &Error) {
        if let Error::Lost { rank, what, .. } = error {
            self.tell(*rank, what);
        }
        self.ended = Some(error.clone());
    }

    fn data(&mut self, exchange: u8, turn: u32) -> Result<Vec<u8>> {
        let (head, bytes) = loop {
            match self.early.take() {
                Some(data) => break data,
                None => self.early = self.next_data()?,
            }
        };
        if (head.exchange, head.turn) != (exchange, turn) {
            let (here, there) = ((exchange, turn), (head.exchange, head.turn));
            return Err(self.out_of_step(&format!("exchange {there:?}, here {here:?}")));
        }
        Ok(bytes)
    }

    /// The next frame, if it is data and no sign of life.
    fn next_data(&mut self) -> Result<Option<(Head, Vec<u8>)>> {
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let head = Head::read(&head).ok_or_else(|| self.out_of_step("it sent no frame"))?;
        let bytes = self.bytes(head.length)?;
        match head.kind {
            Kind::Beat => Ok(None),
            Kind::Abort => Err(self.aborted(&bytes)),
            Kind::Data => Ok(Some((head, bytes))),
        }
    }

    /// Tells the next process that a process has ended, which tells the one after.
    pub(crate) fn tell(&self, rank: usize, what: &str) {
        let mut bytes = (rank as u64).to_le_bytes().to_vec();
        bytes.extend(what.as_bytes());
        self.put(Head::frame(Kind::Abort, 0, 0, &bytes));
    }

    fn aborted(&self, bytes: &[u8]) -> Error {
        let (rank, what) = bytes.split_at(bytes.len().min(8));
        let rank = rank.try_into().map_or(0, u64::from_le_bytes);
        self.lost(rank as usize, &String::from_utf8_lossy(what))
    }

    fn lost(&self, rank: usize, what: &str) -> Error {
        Error::Lost {
            rank,
            size: self.size,
            what: what.into(),
        }
    }

    fn before(&self) -> usize {
        (self.rank + self.size - 1) % self.size
    }

    pub(crate) fn out_of_step(&self, what: &str) -> Error {
        Error::OutOfStep {
            rank: self.before(),
            what: what.into(),
        }
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut left = usize::try_from(length).map_err(|_| self.out_of_step("too many bytes"))?;
        while left > 0 {
            let (begun, piece) = (bytes.len(), left.min(PIECE));
            bytes.resize(begun + piece, 0);
            self.fill(&mut bytes[begun..])?;
            left -= piece;
        }
        Ok(bytes)
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.from.read(bytes) {
                Ok(0) => return Err(self.lost(self.before(), "is gone")),
                Ok(read) => {
                    self.heard = Instant::now();
                    bytes = &mut bytes[read..];
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.look_about()?;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.lost(self.before(), &format!("is gone ({e})"))),
            }
        }
        Ok(())
    }

    /// Whether it is still worth waiting.
    fn look_about(&self) -> Result<()> {
        let silent = self.heard.elapsed();
        if silent > self.patience {
            let what = format!("has given no sign of life for {} s", silent.as_secs());
            return Err(self.lost(self.before(), &what));
        }
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        match &*broken {
            Some((when, why)) if when.elapsed() > GRACE => {
                let next = (self.rank + 1) % self.size;
                Err(self.lost(next, &format!("is gone ({why})")))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Link {
    /// What was sent is written first.
    fn drop(&mut self) {
        self.out = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Writes what comes, and beats where nothing comes.
fn write(mut to: TcpStream, waiting: &Receiver<Vec<u8>>, broken: &Broken) {
    let beat = Head::frame(Kind::Beat, 0, 0, &[]);
    loop {
        let frame = match waiting.recv_timeout(BEAT) {
            Ok(frame) => frame,
            Err(RecvTimeoutError::Timeout) => beat.clone(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = to.write_all(&frame) {
            let mut noted = broken.lock().unwrap_or_else(PoisonError::into_inner);
            *noted = Some((Instant::now(), error.to_string()));
            return;
        }
    }
}
