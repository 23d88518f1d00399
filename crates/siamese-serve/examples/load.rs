//! Load from a second process on a server that runs: `cargo run -p siamese-serve --example load -- --url http://127.0.0.1:PORT
//! --seconds 60 --pid PID --model MODEL PICTURES`.
//!
//! A tenth of the requests is malformed. It tells how many of which status there were, how long they took, what memory the
//! process `--pid` had at the beginning and at the end, and, of `--model`, how the embeddings a second compare with those
//! of the library in batches from the same files. Ends with 1 where a 5xx was no 503 with `Retry-After`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use siamese_core::candle::Device;
use siamese_data::{OpenOptions, Pictures};
use siamese_embed::Embedder;

const BOUNDARY: &str = "the-line-between";
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
    let before = memory(options.pid);
    let (seen, took) = load(&options, &sound)?;
    let mut times = seen.times;
    times.sort_unstable();
    let rate = times.len() as f64 / took.as_secs_f64();
    println!(
        "{:.0} s, {} threads, one of {MALFORMED} requests malformed",
        took.as_secs_f64(),
        options.threads
    );
    for (status, count) in &seen.statuses {
        println!("  {status}  {count}");
    }
    let at = |share: f64| {
        times
            .get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "p50 {:.1?}, p99 {:.1?}, at most {:.1?}; {rate:.0} embeddings a second",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    if let (Some(before), Some(after)) = (before, memory(options.pid)) {
        println!("memory {before} MB before, {after} MB after");
    }
    if let Some(model) = &options.model {
        let batch = library_rate(model, &files)?;
        println!(
            "the library, in batches from the same files: {batch:.0} a second; the server has {:.2} of that",
            rate / batch
        );
    }
    ensure!(
        seen.wrong.is_empty(),
        "{} answers were wrong, such as {}",
        seen.wrong.len(),
        seen.wrong[0]
    );
    Ok(())
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

/// Sends from all threads until the time is up.
fn load(options: &Options, sound: &[Vec<u8>]) -> Result<(Seen, Duration)> {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let until = begun + Duration::from_secs(options.seconds);
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads)
            .map(|_| scope.spawn(|| send(options, sound, &next, until)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .collect::<Vec<Seen>>()
    });
    let mut seen = Seen::default();
    for one in all {
        one.statuses
            .into_iter()
            .for_each(|(status, count)| *seen.statuses.entry(status).or_default() += count);
        seen.times.extend(one.times);
        seen.wrong.extend(one.wrong);
    }
    Ok((seen, begun.elapsed()))
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

/// Embeddings a second of the library's own batches, the files read and decoded as the server does.
fn library_rate(model: &Path, files: &[PathBuf]) -> Result<f64> {
    let embedder = Embedder::load(model, &Device::Cpu)?;
    let pictures = Pictures::files(files);
    let pass = || embedder.stream(&pictures, None, |_| Ok::<(), siamese_embed::Error>(()));
    pass()?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(10) {
        pass()?;
        count += files.len();
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
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
