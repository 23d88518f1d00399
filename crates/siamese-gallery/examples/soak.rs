//! A hundred threads that search beside one that adds: latencies, memory, and that no answer is wrong.
//!
//! `cargo run --release -p siamese-gallery --example soak -- PLACE [ROWS] [THREADS] [SECONDS]`
//!
//! One thread has the gallery and answers them first come first served, as a server does; a latency counts the wait. (A gallery
//! behind a `Mutex` would be taken by whoever comes by: some would wait for minutes, and each thread would fill a heap of its own.) The one that
//! adds has an opening of its own, as another process would, and adds ten entries a second. Every entry that it was told is on the disk must
//! be found by the next search for it.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use siamese_gallery::{Filter, Gallery, Identify};

use support::{embedding, entry, filled};

/// Between two adds.
const PAUSE: Duration = Duration::from_millis(100);
/// One in so many questions is to identify.
const IDENTIFY: usize = 4;

/// What is asked, and where the name of what is nearest is waited for.
struct Question {
    probe: Vec<f32>,
    identify: bool,
    answer: Sender<Result<String>>,
}

struct Soak {
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
        acknowledged: AtomicUsize::new(rows),
        over: AtomicBool::new(false),
    };
    println!("{rows} entries, {threads} threads search, one adds, {seconds} s");
    let mut latencies = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        let (ask, questions) = channel();
        let answering = scope.spawn(|| answer(place, questions));
        let adding = scope.spawn(|| soak.add(place));
        let askers: Vec<_> = (0..threads)
            .map(|thread| {
                let (soak, ask) = (&soak, ask.clone());
                scope.spawn(move || soak.ask_on(thread, &ask))
            })
            .collect();
        drop(ask);
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
        let mut all = Vec::new();
        for asker in askers {
            all.extend(asker.join().expect("a thread that asks does not panic")?);
        }
        adding
            .join()
            .expect("the thread that adds does not panic")?;
        answering
            .join()
            .expect("the thread that answers does not panic")?;
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

/// Answers until nobody asks any more.
fn answer(place: &str, questions: Receiver<Question>) -> Result<()> {
    let mut gallery = Gallery::open(place)?;
    for question in questions {
        let probe = &question.probe;
        let nearest = match question.identify {
            true => gallery
                .identify(probe, &Identify::default())
                .map(|answer| answer.matches),
            false => gallery.search(probe, 10, &Filter::default()),
        };
        let name = nearest.map(|found| found[0].name.clone());
        // one that has gone away wants no answer
        question.answer.send(name.map_err(Into::into)).ok();
    }
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

    /// Asks for the entry that was added last, or another, over and over: it must be the nearest.
    fn ask_on(&self, thread: usize, ask: &Sender<Question>) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        for question in 0.. {
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            let known = self.acknowledged.load(Ordering::SeqCst);
            let number = match question % 2 {
                0 => known - 1,
                _ => (thread * 7919 + question * 104_729) % known,
            };
            let (answer, answered) = channel();
            let probe = embedding(number as u64);
            let start = Instant::now();
            let identify = question % IDENTIFY == IDENTIFY - 1;
            ask.send(Question {
                probe,
                identify,
                answer,
            })
            .context("nobody answers any more")?;
            let name = answered.recv().context("there was no answer")??;
            latencies.push(start.elapsed());
            ensure!(
                name == format!("{number}.jpg"),
                "asked for {number}, found {name}"
            );
        }
        Ok(latencies)
    }
}

/// Memory that the process holds, in KiB; 0 where the system does not say it as Linux does.
fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.map_or(Ok(0), str::parse)?)
}
