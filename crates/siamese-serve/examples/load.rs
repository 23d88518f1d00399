//! Load from a second process on a server that runs: `cargo run -p siamese-serve --example load -- --url http://127.0.0.1:PORT
//! --seconds 60 --pid PID --model MODEL PICTURES`.
//!
//! A tenth of the requests is malformed. In rounds it tells embeddings a second, beside those of the library's own batches
//! from the same files (of `--model`), by the clock and, since others may use the machine too, by the time on processors;
//! and the memory of the process `--pid`. Then how many answers of which status there were, and how long they took. Ends
//! with 1 where a 5xx was no 503 with `Retry-After`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use siamese_core::candle::Device;
use siamese_data::{OpenOptions, Pictures};
use siamese_embed::Embedder;

const BOUNDARY: &str = "the-line-between";
/// Rounds, the server's and the library's in turn: a machine is not always as fast.
const ROUNDS: u32 = 6;
/// One of so many requests is malformed.
const MALFORMED: usize = 10;

#[derive(Default)]
struct Options {
    url: String,
    seconds: u64,
    threads: usize,
    pid: Option<u32>,
    model: Option<PathBuf>,
    pictures: Vec<PathBuf>,
}

/// What one thread saw.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    /// Of those that were answered with 200.
    times: Vec<Duration>,
    wrong: Vec<String>,
}

fn main() -> Result<()> {
    let options = options()?;
    let pictures = Pictures::open(&options.pictures, &OpenOptions::default())?;
    let files: Vec<PathBuf> = pictures
        .items
        .iter()
        .filter_map(|item| item.file.clone())
        .collect();
    ensure!(!files.is_empty(), "name pictures to send");
    let sound: Vec<Vec<u8>> = files
        .iter()
        .map(|file| Ok(form(&std::fs::read(file)?)))
        .collect::<Result<_>>()?;
    let library = options.model.as_ref();
    let library = library
        .map(|model| Embedder::load(model, &Device::Cpu))
        .transpose()?;
    let (threads, time) = (options.threads, options.round());
    println!(
        "{ROUNDS} rounds of {:.0} s, {threads} threads, one of {MALFORMED} requests malformed",
        time.as_secs_f64()
    );
    let mut seen = Seen::default();
    for round in 1..=ROUNDS {
        let used = cpu(options.pid);
        let one = load(&options, &sound, time);
        let used = cpu(options.pid)
            .zip(used)
            .map(|(after, before)| after - before);
        let rate = one.times.len() as f64 / time.as_secs_f64();
        print!("round {round}: {rate:.0} embeddings a second");
        if let Some(embedder) = &library {
            let before = cpu(Some(std::process::id()));
            let (own, count) = library_rate(embedder, &files, time)?;
            print!(
                ", {own:.0} by the library in batches: {:.2} of that",
                rate / own
            );
            let after = cpu(Some(std::process::id()));
            if let (Some(used), Some(before), Some(after)) = (used, before, after) {
                let share = one.times.len() as f64 / used / (count as f64 / (after - before));
                print!(", {share:.2} by the time on processors");
            }
        }
        let memory = memory(options.pid).map(|megabytes| format!("; {megabytes} MB"));
        println!("{}", memory.unwrap_or_default());
        seen.add(one);
    }
    seen.tell()
}

fn options() -> Result<Options> {
    let mut options = Options {
        seconds: 60,
        threads: 16,
        ..Options::default()
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} wants a value"))
        };
        match word.as_str() {
            "--url" => options.url = value()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--threads" => options.threads = value()?.parse()?,
            "--pid" => options.pid = Some(value()?.parse()?),
            "--model" => options.model = Some(value()?.into()),
            _ => options.pictures.push(word.into()),
        }
    }
    ensure!(
        !options.url.is_empty(),
        "say by --url what `siamese serve` has printed"
    );
    Ok(options)
}

fn form(picture: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n"
    );
    [
        head.as_bytes(),
        picture,
        format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

impl Options {
    /// How long a round takes: half of it is the library's where there is a model.
    fn round(&self) -> Duration {
        let parts = if self.model.is_some() { 2 } else { 1 };
        Duration::from_secs(self.seconds) / (ROUNDS * parts)
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.times.extend(other.times);
        self.wrong.extend(other.wrong);
    }

    fn tell(mut self) -> Result<()> {
        for (status, count) in &self.statuses {
            println!("  {status}  {count}");
        }
        self.times.sort_unstable();
        let last = self.times.len().saturating_sub(1);
        let at = |share: f64| {
            let place = (self.times.len() as f64 * share) as usize;
            self.times.get(place.min(last)).copied().unwrap_or_default()
        };
        println!(
            "p50 {:.1?}, p99 {:.1?}, at most {:.1?}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        let wrong = self.wrong.len();
        ensure!(
            wrong == 0,
            "{wrong} answers were wrong, such as {}",
            self.wrong[0]
        );
        Ok(())
    }
}

/// Sends from all threads until the time is up.
fn load(options: &Options, sound: &[Vec<u8>], time: Duration) -> Seen {
    let next = AtomicUsize::new(0);
    let until = Instant::now() + time;
    let mut seen = Seen::default();
    std::thread::scope(|scope| {
        let one = || send(options, sound, &next, until);
        let threads: Vec<_> = (0..options.threads).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            seen.add(thread.join().unwrap_or_default());
        }
    });
    seen
}

fn send(options: &Options, sound: &[Vec<u8>], next: &AtomicUsize, until: Instant) -> Seen {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let address = format!("{}/api/v1/embed", options.url);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut seen = Seen::default();
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let body = &sound[number % sound.len()];
        let body = match number.is_multiple_of(MALFORMED) {
            true => &body[..body.len() * (number / MALFORMED % 7) / 7],
            false => body,
        };
        let begun = Instant::now();
        let answered = agent
            .post(&address)
            .header("content-type", &kind)
            .send(body);
        let Ok(mut answer) = answered else {
            seen.wrong.push("no answer".into());
            continue;
        };
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        *seen.statuses.entry(status).or_default() += 1;
        let is_honest = status == 503 && answer.headers().contains_key("retry-after");
        match status {
            200 => seen.times.push(begun.elapsed()),
            500.. if !is_honest => seen.wrong.push(format!("{status}: {text}")),
            503 => std::thread::sleep(Duration::from_millis(100)),
            _ => {}
        }
    }
    seen
}

/// Embeddings a second, and how many, of the library's own batches, the files read and decoded as the server does.
fn library_rate(embedder: &Embedder, files: &[PathBuf], time: Duration) -> Result<(f64, usize)> {
    let pictures = Pictures::files(files);
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        embedder.stream(&pictures, None, |_| Ok::<(), siamese_embed::Error>(()))?;
        count += files.len();
    }
    Ok((count as f64 / begun.elapsed().as_secs_f64(), count))
}

/// Seconds that a process has spent on processors, as Linux tells it.
fn cpu(pid: Option<u32>) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
    // a hundred ticks a second; the fields behind the name, which may have blanks
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .iter()
        .filter_map(|&at| fields.get(at)?.parse::<f64>().ok())
        .sum();
    Some(ticks / 100.0)
}

/// Resident memory of a process in megabytes, as Linux tells it.
fn memory(pid: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes >> 10)
}
