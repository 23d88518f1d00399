//! `cargo xtask bench train`: our training step and others', taking turns on the same nets.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{Usage, bench_peers, paths, suggest};

pub(crate) const HELP: &str = "\
Times forward passes and training steps (cross-entropy, AdamW) on 3×32×32 images, and with --peer
others' on the same nets and batches: all contenders take turns, round by round, and the medians
of their best steps are compared. Prints a Markdown table; a ratio above 1 means that we are faster.

Usage: cargo xtask bench train [options]

Options:
  --peer PEER        a Python that has PyTorch, or `candle` for Candle's own operations; may be
                     repeated (default: our own figures alone)
  --net NAME         conv4, tower (system C's), narrow (the default preset's), resnet9 or resnet18;
                     may be repeated (default: all)
  --mode MODE        forward or train (default: both)
  --device DEVICE    cpu (default) or cuda: tf32 and bf16 against PyTorch's on the same card
  --rounds N         rounds per contender, net and mode (default: 5)
  --threads N        threads for every contender (default: all cores)
  -h, --help         this text

PyTorch competes as it comes; tuned (channels_last, and glibc told to keep its memory); and tuned
with bf16 autocast. On CUDA: tuned (channels_last, cudnn.benchmark, fused AdamW) with TF32, and
with bf16 autocast. A machine that computes nothing else is best: close the rest.

`cargo xtask bench search --peer PYTHON [--n 1000000] [--dim 128] [--k 10] [--clusters 10000]`
times exact search of a gallery, FAISS's IndexFlatL2 (numpy and faiss-cpu) beside ours; with
`--postgres ADDRESS` (psycopg) pgvector's approximate search too.
`cargo xtask bench embed --peer PYTHON [--model FILE] [--net stages] [--batches 1,4,16,64,256]`
times embeddings, PyTorch's and ONNX Runtime's on the same weights beside ours.
`cargo xtask bench faces --peer PYTHON` times finding faces, facenet-pytorch's MTCNN beside ours.

Examples:
  $ cargo xtask bench train
  $ cargo xtask bench train --peer candle --peer .venv/bin/python --net conv4 --rounds 3
  $ cargo xtask bench train --peer .venv/bin/python --device cuda
";

/// Name, images in a batch, steps in a round: a round lasts seconds, not minutes.
const NETS: [(&str, usize, usize); 5] = [
    ("conv4", 128, 4),
    ("tower", 128, 3),
    ("narrow", 128, 2),
    ("resnet9", 64, 2),
    ("resnet18", 32, 2),
];
const MODES: [&str; 2] = ["forward", "train"];
const OPTIONS: [&str; 6] = [
    "--peer",
    "--net",
    "--mode",
    "--device",
    "--rounds",
    "--threads",
];
/// A GPU's batches and steps, as multiples of a CPU's.
const GPU_BATCH: usize = 8;
const GPU_STEPS: usize = 8;

/// Without these glibc gives every large tensor back to the system, and PyTorch faults it in anew.
const KEEP_MEMORY: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
    ("MALLOC_TRIM_THRESHOLD_", "2147483647"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

struct Options {
    python: Option<PathBuf>,
    candle: bool,
    nets: Vec<(&'static str, usize, usize)>,
    modes: Vec<&'static str>,
    cuda: bool,
    rounds: usize,
    threads: Option<usize>,
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let peers = args
        .split_first()
        .and_then(|(name, rest)| bench_peers::run(name, rest));
    if let Some(done) = peers {
        return done;
    }
    let options = parse(args)?;
    build(options.cuda)?;
    let contenders = contenders(&options);
    let names: Vec<_> = contenders.iter().map(|contender| contender.name).collect();
    println!("| net × batch, mode | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    for &(net, mut batch, mut steps) in &options.nets {
        if options.cuda {
            (batch, steps) = (batch * GPU_BATCH, steps * GPU_STEPS);
        }
        // A process per net, so that the peak of memory is this net's.
        let mut players = contenders
            .iter()
            .map(Contender::start)
            .collect::<Result<Vec<_>>>()?;
        for mode in &options.modes {
            let request = format!("{net} {mode} {batch} {steps}");
            for round in 1..=options.rounds {
                progress(&format!(
                    "{net} {mode}: round {round} of {}",
                    options.rounds
                ));
                for player in &mut players {
                    player.play(&request)?;
                }
            }
            progress("");
            let results: Vec<_> = players
                .iter_mut()
                .map(|player| player.result(batch))
                .collect();
            println!(
                "| {net} × {batch}, {mode} | {} |",
                row(&results).join(" | ")
            );
        }
    }
    println!("\nCells: images per second, peak memory in MiB, our speed ÷ theirs.");
    Ok(ExitCode::SUCCESS)
}

/// Replaces the line on the screen; says nothing into a file.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{text:<50}\r");
    }
}

fn parse(args: &[String]) -> Result<Options> {
    let usage = |text: String| anyhow::Error::from(Usage(text));
    let Some(("train", args)) = args.split_first().map(|(what, rest)| (what.as_str(), rest)) else {
        return Err(usage(
            "bench what? `cargo xtask bench train` or `search`".into(),
        ));
    };
    let mut options = Options {
        python: None,
        candle: false,
        nets: vec![],
        modes: vec![],
        cuda: false,
        rounds: 5,
        threads: None,
    };
    let mut args = args.iter();
    while let Some(option) = args.next() {
        if !OPTIONS.contains(&option.as_str()) {
            let near =
                suggest::nearest(option, OPTIONS).map(|near| format!(": did you mean `{near}`?"));
            return Err(usage(format!(
                "bench has no option `{option}`{}",
                near.unwrap_or_default()
            )));
        }
        let value = args
            .next()
            .ok_or_else(|| usage(format!("{option} needs a value")))?;
        let count = || match value.parse() {
            Ok(0) | Err(_) => Err(usage(format!(
                "{option} {value}: expected a number from 1 on"
            ))),
            Ok(count) => Ok(count),
        };
        match option.as_str() {
            "--peer" if value == "candle" => options.candle = true,
            "--peer" => options.python = Some(value.into()),
            "--net" => {
                let net = NETS.into_iter().find(|(name, ..)| name == value);
                options.nets.push(net.ok_or_else(|| {
                    usage(format!(
                        "no net {value}: {}",
                        NETS.map(|(name, ..)| name).join(", ")
                    ))
                })?);
            }
            "--mode" => {
                let mode = MODES.into_iter().find(|mode| mode == value);
                let unknown = || usage(format!("no mode {value}: {}", MODES.join(", ")));
                options.modes.push(mode.ok_or_else(unknown)?);
            }
            "--device" => {
                options.cuda = match value.as_str() {
                    "cpu" => false,
                    "cuda" => true,
                    other => return Err(usage(format!("no device {other}: cpu or cuda"))),
                }
            }
            "--rounds" => options.rounds = count()?,
            _ => options.threads = Some(count()?),
        }
    }
    if options.nets.is_empty() {
        options.nets = NETS.into();
    }
    if options.modes.is_empty() {
        options.modes = MODES.into();
    }
    Ok(options)
}

/// Builds our side before anything is timed.
fn build(cuda: bool) -> Result<()> {
    let features: &[&str] = if cuda { &["--features", "cuda"] } else { &[] };
    let status = Command::new(paths::cargo())
        .args(["build", "--release", "--package", "siamese-kernels"])
        .args(["--example", "train_bench"])
        .args(features)
        .current_dir(paths::root())
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the bench does not build: see above");
    Ok(())
}

/// One way to run the nets: a program that answers a line per round.
struct Contender {
    name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    /// The contender whose speed is divided by this one's: the one of ours that computes alike.
    ours: Option<usize>,
}

/// Ourselves first.
fn contenders(options: &Options) -> Vec<Contender> {
    let binary = format!("train_bench{}", std::env::consts::EXE_SUFFIX);
    let ours = |name, words: &[&str]| Contender {
        name,
        program: paths::target().join("release/examples").join(&binary),
        args: words.iter().map(|&s| s.into()).collect(),
        env: vec![],
        ours: None,
    };
    let script = paths::root().join("crates/siamese-kernels/benches/peer.py");
    let peer = |name, words: &[&str], ours| {
        let python = options.python.clone()?;
        let arguments = [&script.display().to_string()[..]];
        Some(Contender {
            name,
            program: python,
            args: arguments.iter().chain(words).map(|&s| s.into()).collect(),
            env: match words {
                [] => vec![],
                _ => KEEP_MEMORY.map(|(name, value)| (name, value.into())).into(),
            },
            ours: Some(ours),
        })
    };
    let candle = options.candle.then(|| {
        let device: &[&str] = if options.cuda { &["cuda"] } else { &[] };
        let words = [device, &["candle"]].concat();
        Contender {
            ours: Some(0),
            ..ours("Candle, f32", &words)
        }
    });
    let (us, python) = match options.cuda {
        true => (
            vec![
                ours("siamese-kernels, tf32", &["cuda", "tf32"]),
                ours("siamese-kernels, bf16", &["cuda", "bf16"]),
            ],
            vec![
                peer("PyTorch tuned, tf32", &["cuda", "channels_last"], 0),
                peer("PyTorch tuned, bf16", &["cuda", "channels_last", "bf16"], 1),
            ],
        ),
        false => (
            vec![ours("siamese-kernels, f32", &[])],
            vec![
                peer("PyTorch, f32", &[], 0),
                peer("PyTorch tuned, f32", &["channels_last"], 0),
                peer("PyTorch tuned, bf16", &["channels_last", "bf16"], 0),
            ],
        ),
    };
    let peers = python.into_iter().flatten();
    let mut all: Vec<_> = us.into_iter().chain(candle).chain(peers).collect();
    if let Some(threads) = options.threads {
        for contender in &mut all {
            let threads = threads.to_string();
            contender.env.push(("RAYON_NUM_THREADS", threads.clone()));
            contender.env.push(("THREADS", threads));
        }
    }
    all
}

impl Contender {
    fn start(&self) -> Result<Player> {
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{} has no standard input or output", self.program.display());
        };
        let output = BufReader::new(output);
        Ok(Player {
            name: self.name,
            child,
            input: Some(input),
            output,
            times: vec![],
            mib: 0,
            ours: self.ours,
        })
    }
}

/// A contender at work, and its times in the present mode.
struct Player {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    times: Vec<f64>,
    mib: u64,
    ours: Option<usize>,
}

struct Score {
    images_per_second: f64,
    mib: u64,
    /// As [`Contender::ours`].
    ours: Option<usize>,
}

impl Player {
    fn play(&mut self, request: &str) -> Result<()> {
        let input = self.input.as_mut().context("closed")?;
        writeln!(input, "{request}").with_context(|| format!("asking {}", self.name))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        let (seconds, mib) = parse_answer(&answer)
            .with_context(|| format!("{} answered {answer:?} to {request:?}", self.name))?;
        self.times.push(seconds);
        self.mib = mib;
        Ok(())
    }

    /// The score of the rounds since the last call.
    fn result(&mut self, batch: usize) -> Score {
        let images_per_second = batch as f64 / median(std::mem::take(&mut self.times));
        Score {
            images_per_second,
            mib: self.mib,
            ours: self.ours,
        }
    }
}

impl Drop for Player {
    /// At the end of its input a contender leaves by itself.
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// `SECONDS MIB`.
fn parse_answer(answer: &str) -> Option<(f64, u64)> {
    let (seconds, mib) = answer.trim().split_once(' ')?;
    Some((seconds.parse().ok()?, mib.parse().ok()?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// A cell per contender; another's has the ratio of our speed to theirs.
fn row(scores: &[Score]) -> Vec<String> {
    let cell = |score: &Score| {
        let ratio = score.ours.map_or(String::new(), |ours| {
            let ratio = scores[ours].images_per_second / score.images_per_second;
            format!(", **{ratio:.2}×**")
        });
        format!("{:.0}/s, {} MiB{ratio}", score.images_per_second, score.mib)
    };
    scores.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| arg.to_string()).collect()
    }

    #[test]
    fn all_nets_in_both_modes_unless_told_otherwise() {
        let options = parse(&strings(&["train"])).unwrap();
        assert_eq!(
            (options.nets.len(), options.modes.len(), options.rounds),
            (5, 2, 5)
        );
        let some = [
            "train", "--net", "tower", "--mode", "train", "--rounds", "2", "--peer", "py",
        ];
        let options = parse(&strings(&some)).unwrap();
        assert_eq!(
            (options.nets, options.modes),
            (vec![("tower", 128, 3)], vec!["train"])
        );
        assert_eq!((options.rounds, options.python), (2, Some("py".into())));
        let all = parse(&strings(&["train", "--peer", "candle", "--peer", "py"])).unwrap();
        let names: Vec<_> = contenders(&all).iter().map(|c| c.name).collect();
        assert_eq!(names[..2], ["siamese-kernels, f32", "Candle, f32"]);
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn a_wrong_word_is_named() {
        for (args, named) in [
            (&["test"][..], "bench train"),
            (&["train", "--rouns", "3"], "--rounds"),
            (&["train", "--net", "vgg"], "vgg"),
            (&["train", "--rounds", "0"], "--rounds 0"),
            (&["train", "--device", "tpu"], "cpu or cuda"),
            (&["train", "--peer"], "--peer needs"),
        ] {
            let error = parse(&strings(args)).map(|_| ()).unwrap_err();
            assert!(
                error.is::<Usage>() && error.to_string().contains(named),
                "{error}"
            );
        }
    }

    #[test]
    fn on_a_gpu_each_precision_has_its_peer() {
        let words = ["train", "--device", "cuda", "--peer", "py"];
        let all = contenders(&parse(&strings(&words)).unwrap());
        let pairs: Vec<_> = all.iter().map(|c| (c.name, c.ours)).collect();
        assert_eq!(
            pairs[2..],
            [
                ("PyTorch tuned, tf32", Some(0)),
                ("PyTorch tuned, bf16", Some(1))
            ]
        );
        assert!(
            pairs[0].0.contains("tf32") && pairs[1].0.contains("bf16"),
            "{pairs:?}"
        );
        assert!(all.iter().all(|c| c.args.iter().any(|arg| arg == "cuda")));
    }

    #[test]
    fn a_ratio_above_one_means_that_we_are_faster() {
        let scores = [(300.0, 50, None), (100.0, 80, Some(0))];
        let scores = scores.map(|(images_per_second, mib, ours)| Score {
            images_per_second,
            mib,
            ours,
        });
        assert_eq!(row(&scores), ["300/s, 50 MiB", "100/s, 80 MiB, **3.00×**"]);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![9.0, 1.0, 3.0]), 3.0);
    }

    #[test]
    fn an_answer_is_seconds_and_mebibytes() {
        assert_eq!(parse_answer("0.25 812\n"), Some((0.25, 812)));
        assert_eq!(parse_answer(""), None);
    }
}
