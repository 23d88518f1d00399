//! A hundred threads that search beside one that adds: latencies, memory, and that no answer is wrong.
//!
//! `cargo run --release -p siamese-gallery --example soak -- PLACE [ROWS] [THREADS] [SECONDS]`
//!
//! The threads share one opening behind a lock, as a server does, and a latency counts the wait for it. The one that adds
//! has an opening of its own, as another process would, and adds ten entries a second. Every entry that it was told is on the disk
//! must be found by the next search for it.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use siamese_gallery::{Filter, Gallery, Identify};

use support::{embedding, entry, filled};

/// Between two adds.
const PAUSE: Duration = Duration::from_millis(100);
/// One in so many questions is to identify.
const IDENTIFY: usize = 4;

struct Soak {
    reader: Mutex<Gallery>,
    acknowledged: AtomicUsize,
    over: AtomicBool,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let place = arguments.first().context("PLACE is missing")?;
    let number = |at: usize, default: usize| -> Result<usize> {
        arguments
            .get(at)
            .map_or(Ok(default), |text| Ok(text.parse()?))
    };
    let (rows, threads, seconds) = (number(1, 20_000)?, number(2, 100)?, number(3, 180)?);
    filled(place, rows)?;
    let soak = Soak {
        reader: Mutex::new(Gallery::open(place)?),
        acknowledged: AtomicUsize::new(rows),
        over: AtomicBool::new(false),
    };
    soak.ask(0, 0)?;
    println!("{rows} entries, {threads} threads search, one adds, {seconds} s");
    let mut latencies = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        let adding = scope.spawn(|| soak.add(place));
        let askers: Vec<_> = (0..threads)
            .map(|i| {
                scope.spawn({
                    let soak = &soak;
                    move || soak.ask_on(i)
                })
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds as u64) {
            let (entries, kib) = (soak.acknowledged.load(Ordering::SeqCst), resident()?);
            println!(
                "{:4} s  {entries} entries  {kib} KiB",
                start.elapsed().as_secs()
            );
            std::thread::sleep(Duration::from_secs((seconds as u64 / 10).max(1)));
        }
        soak.over.store(true, Ordering::SeqCst);
        adding
            .join()
            .expect("the thread that adds does not panic")?;
        let mut all = Vec::new();
        for asker in askers {
            all.extend(asker.join().expect("a thread that asks does not panic")?);
        }
        Ok(all)
    })?;
    latencies.sort_unstable();
    let at =
        |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{} answers, {:.0} a second; p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {} entries added; {} KiB at the end",
        latencies.len(),
        latencies.len() as f64 / seconds as f64,
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        soak.acknowledged.load(Ordering::SeqCst) - rows,
        resident()?
    );
    Ok(())
}

impl Soak {
    fn add(&self, place: &str) -> Result<()> {
        let mut gallery = Gallery::open(place)?;
        while !self.over.load(Ordering::SeqCst) {
            let number = self.acknowledged.load(Ordering::SeqCst);
            gallery.add_entries(&[entry(number)])?;
            self.acknowledged.store(number + 1, Ordering::SeqCst);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn ask_on(&self, thread: usize) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        for question in 0.. {
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            let start = Instant::now();
            self.ask(thread, question)?;
            latencies.push(start.elapsed());
        }
        Ok(latencies)
    }

    /// Asks for the entry that was added last, or another: it must be the nearest, at distance 0.
    fn ask(&self, thread: usize, question: usize) -> Result<()> {
        let known = self.acknowledged.load(Ordering::SeqCst);
        let number = match question % 2 {
            0 => known - 1,
            _ => (thread * 7919 + question * 104_729) % known,
        };
        let probe = embedding(number as u64);
        let mut reader = self
            .reader
            .lock()
            .map_err(|_| anyhow::anyhow!("another thread failed"))?;
        let name = match question % IDENTIFY {
            3 => reader.identify(&probe, &Identify::default())?.matches[0]
                .name
                .clone(),
            _ => reader.search(&probe, 10, &Filter::default())?[0]
                .name
                .clone(),
        };
        ensure!(
            name == format!("{number}.jpg"),
            "asked for {number}, found {name}"
        );
        Ok(())
    }
}

/// Memory that the process holds, in KiB; 0 where the system does not say it as Linux does.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.map_or(Ok(0), str::parse)?)
}
