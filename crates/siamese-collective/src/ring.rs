//! A ring over TCP: each process writes to the next and reads from the one before.

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::collective::Collective;
use crate::error::Result;
use crate::frame::{to_bytes, to_values};
use crate::link::Link;
use crate::meet::meet;
use crate::place::Place;

const SUM: u8 = 1;
const GATHER: u8 = 2;
const BROADCAST: u8 = 3;

/// How long processes wait for each other to be there, and for a sign of life afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until all have met.
    pub meeting: Duration,
    /// Between two signs of life.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            meeting: Duration::from_secs(300),
            silence: Duration::from_secs(60),
        }
    }
}

/// Processes in a ring over TCP, in plain f32: for CPUs, and for numbers that come through the host's memory.
///
/// A sum is made as Patarasuk and Yuan (2009) have it: each of N parts goes round once and is added up, then round once
/// more; so each process sends twice the numbers, whatever N is. A part's order of addition is fixed, and every process
/// gets the bits of the same result.
///
/// ```
/// use siamese_collective::{Collective, Patience, Place, Ring};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let place = move |rank| Place {
///     rank,
///     size: 2,
///     local_rank: rank,
///     local_size: None,
///     host: "127.0.0.1".into(),
///     port,
///     run: String::new(),
/// };
/// let add = |ring: Ring| -> siamese_collective::Result<Vec<f32>> {
///     let mut values = vec![ring.rank() as f32, 1.0, 2.0];
///     ring.sum(&mut values)?;
///     Ok(values)
/// };
/// let other = std::thread::spawn(move || add(Ring::join(&place(1), Patience::default())?));
/// let first = add(Ring::lead(listener, &place(0), Patience::default())?)?;
/// assert_eq!(first, [1.0, 2.0, 4.0]);
/// assert_eq!(other.join().unwrap()?, [1.0, 2.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ring {
    rank: usize,
    size: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    link: Link,
    turn: u32,
}

impl Ring {
    /// Meets the others.
    ///
    /// # Errors
    /// When they are not all there in time, are of another version or another run, or two claim the same rank.
    pub fn join(place: &Place, patience: Patience) -> Result<Self> {
        Self::meet(place, None, patience)
    }

    /// Meets the others as process 0, where somebody has opened the port already: a launcher that let the system choose
    /// one and told the others, so that nobody else takes it meanwhile.
    ///
    /// # Errors
    /// As [`join`](Self::join), and if this is not process 0.
    pub fn lead(listener: TcpListener, place: &Place, patience: Patience) -> Result<Self> {
        if place.rank != 0 {
            let rank = place.rank;
            let what = format!("process 0 opens the port where all meet, and this is {rank}");
            return Err(crate::Error::Meeting(what));
        }
        Self::meet(place, Some(listener), patience)
    }

    fn meet(place: &Place, here: Option<TcpListener>, patience: Patience) -> Result<Self> {
        let connections = meet(place, here, patience.meeting)?;
        let (rank, size) = (place.rank, place.size);
        let link = Link::new((rank, size), connections, patience.silence)
            .map_err(|e| crate::Error::meeting("preparing the connections", &e))?;
        Ok(Self {
            rank,
            size,
            inner: Mutex::new(Inner { link, turn: 0 }),
        })
    }

    fn begin(&self) -> (MutexGuard<'_, Inner>, u32) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.turn = inner.turn.wrapping_add(1);
        let turn = inner.turn;
        (inner, turn)
    }

    /// Which part of `values` numbers is the `i`th, counted backwards from this process.
    fn part(&self, values: usize, i: usize) -> std::ops::Range<usize> {
        let i = (self.rank + 2 * self.size - i) % self.size;
        i * values / self.size..(i + 1) * values / self.size
    }
}

impl Collective for Ring {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, own: &[f32]) -> Result<Vec<Vec<f32>>> {
        let (mut inner, turn) = self.begin();
        let mut all = vec![Vec::new(); self.size];
        let mut bytes = to_bytes(own);
        all[self.rank] = own.to_vec();
        for i in 1..self.size {
            inner.link.send(GATHER, turn, &bytes);
            bytes = inner.link.receive(GATHER, turn)?;
            all[(self.rank + self.size - i) % self.size] = to_values(&bytes).collect();
        }
        Ok(all)
    }

    fn sum(&self, values: &mut [f32]) -> Result<()> {
        let (mut inner, turn) = self.begin();
        let count = values.len();
        for i in 0..2 * (self.size - 1) {
            let (sent, got) = (self.part(count, i), self.part(count, i + 1));
            inner.link.send(SUM, turn, &to_bytes(&values[sent]));
            let bytes = inner.link.receive(SUM, turn)?;
            let (received, own) = (to_values(&bytes), &mut values[got]);
            if received.len() != own.len() {
                let what = format!("{count} numbers here, and not as many there");
                return Err(inner.link.out_of_step(&what));
            }
            let adds = i < self.size - 1;
            for (own, received) in own.iter_mut().zip(received) {
                *own = if adds { received + *own } else { received };
            }
        }
        Ok(())
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (mut inner, turn) = self.begin();
        if self.rank > 0 {
            bytes = inner.link.receive(BROADCAST, turn)?;
        }
        if self.rank + 1 < self.size {
            inner.link.send(BROADCAST, turn, &bytes);
        }
        Ok(bytes)
    }

    fn alive(&self) -> Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.link.alive()
    }

    fn abort(&self, reason: &str) {
        self.begin().0.link.tell(self.rank, reason);
    }
}
