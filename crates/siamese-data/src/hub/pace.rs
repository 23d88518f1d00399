//! A server that gives a byte now and then is as good as one that has fallen silent.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

/// A body that must bring its bytes at some rate.
pub(super) struct Paced<R> {
    inner: R,
    /// The rate is taken over so long.
    window: Duration,
    /// Bytes a second.
    rate: u64,
    since: Instant,
    arrived: u64,
}

impl<R: Read> Paced<R> {
    pub(super) fn new(inner: R, window: Duration, rate: u64) -> Self {
        Self {
            inner,
            window,
            rate,
            since: Instant::now(),
            arrived: 0,
        }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(bytes)?;
        self.arrived += n as u64;
        let elapsed = self.since.elapsed();
        if n == 0 || elapsed < self.window {
            return Ok(n);
        }
        if (self.arrived as f64) < self.rate as f64 * elapsed.as_secs_f64() {
            let (arrived, rate) = (self.arrived, self.rate);
            let told = format!(
                "only {arrived} bytes arrived in {:.0} s, where at least {rate} a second are wanted",
                elapsed.as_secs_f64().ceil()
            );
            return Err(io::Error::new(ErrorKind::TimedOut, told));
        }
        (self.since, self.arrived) = (Instant::now(), 0);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes at a time, each after a rest.
    struct Drip(usize, Duration);

    impl Read for Drip {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(self.1);
            Ok(self.0.min(bytes.len()))
        }
    }

    #[test]
    fn a_drip_is_given_up_and_a_stream_is_not() {
        let rest = Duration::from_millis(2);
        let read = |n, most| {
            let paced = Paced::new(Drip(n, rest), Duration::from_millis(10), 10_000);
            paced.take(most).read_to_end(&mut Vec::new())
        };
        let error = read(1, 1000).unwrap_err();
        assert!(error.to_string().contains("10000 a second"), "{error}");
        assert_eq!(read(8192, 100_000).unwrap(), 100_000);
    }
}
