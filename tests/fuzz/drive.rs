//! Gives inputs to a parser and watches: panics, memory, time.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use peak_alloc::PeakAlloc;

use crate::mutate::{Numbers, mutated};
use crate::parsers::Parser;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What no input may take.
const MOST_MEMORY: usize = 1 << 30;
const MOST_TIME: Duration = Duration::from_secs(10);

/// What became of the inputs that a parser was given.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) tried: u64,
    pub(crate) refused: u64,
    /// What is wrong with those that were neither read nor refused.
    pub(crate) bad: Vec<String>,
    pub(crate) most_memory: usize,
    pub(crate) most_time: Duration,
}

/// A parser with its seeds, in a folder of its own.
pub(crate) struct Driver<'a> {
    parser: &'a Parser,
    seeds: Vec<Vec<u8>>,
    folder: tempfile::TempDir,
    watch: Watch,
    /// Where bad inputs are kept.
    keep: PathBuf,
    pub(crate) tally: Tally,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(parser: &'a Parser, watch: &Watch, keep: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        (parser.prepare)(folder.path()).with_context(|| format!("preparing {}", parser.name))?;
        let seeds = (parser.seeds)().with_context(|| format!("seeds of {}", parser.name))?;
        Ok(Self {
            parser,
            seeds,
            folder,
            watch: watch.clone(),
            keep: keep.to_path_buf(),
            tally: Tally::default(),
        })
    }

    /// What is given.
    pub(crate) fn name(&self) -> &'static str {
        self.parser.name
    }

    /// The seeds as they are: each must be read, or the mutations would test nothing but the first check.
    pub(crate) fn seeds_are_read(&mut self) -> Result<()> {
        for i in 0..self.seeds.len() {
            let input = (self.parser.wrap)(self.seeds[i].clone());
            (self.parser.run)(self.folder.path(), &input)
                .with_context(|| format!("{}: seed {i} is refused", self.parser.name))?;
        }
        Ok(())
    }

    /// Input `number` of the run with this seed.
    pub(crate) fn mutate(&mut self, seed: u64, number: u64) {
        let name = self.parser.name.bytes();
        let stream = name.fold(seed, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte));
        let mut numbers = Numbers(stream ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        let [one, other] = [0; 2].map(|_| numbers.below(self.seeds.len()));
        let (one, other) = (&self.seeds[one], &self.seeds[other]);
        // what a checksum guards is damaged before the sum is taken, or behind it
        let input = match numbers.below(2) {
            0 => mutated(&(self.parser.wrap)(one.clone()), other, &mut numbers),
            _ => (self.parser.wrap)(mutated(one, other, &mut numbers)),
        };
        self.give(&input, &format!("{seed}-{number}"));
    }

    /// Gives one input.
    pub(crate) fn give(&mut self, input: &[u8], name: &str) {
        let name = format!("{}-{name}", self.parser.name.replace([' ', '.'], "-"));
        self.watch.begin(&name);
        let started = Instant::now();
        let work = || (self.parser.run)(self.folder.path(), input);
        let (memory, done) = peak_of(|| catch_unwind(AssertUnwindSafe(work)));
        let time = started.elapsed();
        self.watch.end();
        let tally = &mut self.tally;
        tally.tried += 1;
        tally.most_memory = tally.most_memory.max(memory);
        tally.most_time = tally.most_time.max(time);
        let why = match done {
            Err(_) => "panicked".to_string(),
            Ok(_) if memory > MOST_MEMORY => format!("took {} MiB", memory >> 20),
            Ok(_) if time > MOST_TIME => format!("took {} s", time.as_secs()),
            Ok(Err(_)) => {
                tally.refused += 1;
                return;
            }
            Ok(Ok(())) => return,
        };
        let kept = self.keep.join(&name);
        let told = match fs::create_dir_all(&self.keep).and_then(|()| fs::write(&kept, input)) {
            Ok(()) => format!("{} {why}", kept.display()),
            Err(error) => format!("{name} {why}, and was not kept: {error}"),
        };
        eprintln!("BAD: {told}");
        tally.bad.push(told);
    }
}

/// The most memory that `work` held at once, in bytes, of the whole process.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let done = work();
    (MEMORY.peak_usage().saturating_sub(before), done)
}

/// Ends the process where an input takes too long: nothing else ends an endless loop.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<(Instant, String)>>>);

impl Watch {
    pub(crate) fn start() -> Self {
        let watch = Self::default();
        let seen = watch.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let now = seen
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some((began, name)) = now
                    && began.elapsed() > 3 * MOST_TIME
                {
                    eprintln!("BAD: {name} does not end");
                    std::process::exit(1);
                }
            }
        });
        watch
    }

    fn begin(&self, name: &str) {
        self.set(Some((Instant::now(), name.to_string())));
    }

    fn end(&self) {
        self.set(None);
    }

    fn set(&self, to: Option<(Instant, String)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}
