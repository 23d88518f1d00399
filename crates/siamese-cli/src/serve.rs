//! `siamese serve`: a model as a web page and a JSON API.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use siamese_embed::Embedder;
use siamese_gallery::{Error, Gallery};
use siamese_serve::{Access, Answered, Config, Event, Limits, Server};

use crate::device::DeviceChoice;

/// The environment variable that a token is better told by: others see a command line.
const TOKEN: &str = "SIAMESE_TOKEN";

/// Arguments of `siamese serve`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A run's folder or a model file [default: the gallery's model]
    #[arg(required_unless_present = "gallery")]
    model: Option<PathBuf>,
    /// The gallery to identify by and to enrol in, made where there is none: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(long)]
    gallery: Option<String>,
    #[command(flatten)]
    network: Network,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    limits: LimitArguments,
}

/// Where to listen, whom to answer, and what to tell of it.
#[derive(Args)]
pub(crate) struct Network {
    /// The port to listen on; 0 takes one that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The address to listen on; any but the loopback wants --token or --no-token
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Answer those alone who send `Authorization: Bearer TOKEN`; SIAMESE_TOKEN says it unseen by others
    #[arg(long)]
    token: Option<String>,
    /// Answer everybody who reaches --host
    #[arg(long, conflicts_with = "token")]
    no_token: bool,
    /// A name by which browsers may call the server, beside its addresses; may be repeated
    #[arg(long)]
    name: Vec<String>,
    /// Requests that are told on standard error: text, json or none
    #[arg(long, value_enum, default_value = "text")]
    log: Log,
}

/// How much may be asked of the server.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct LimitArguments {
    /// Megabytes of a request
    #[arg(long, value_name = "MB", default_value_t = Limits::default().body >> 20)]
    max_body: usize,
    /// Millions of pixels of a picture, as it declares them
    #[arg(long, value_name = "MILLIONS", default_value_t = Limits::default().pixels / 1_000_000)]
    max_pixels: u64,
    /// Classes or entries of an answer
    #[arg(long, value_name = "K", default_value_t = Limits::default().k)]
    max_k: usize,
    /// Requests with pictures or of the gallery that are worked on at once
    #[arg(long, value_name = "REQUESTS", default_value_t = Limits::default().requests)]
    max_requests: usize,
    /// Images that wait for the model
    #[arg(long, value_name = "IMAGES", default_value_t = Limits::default().queue)]
    max_queue: usize,
    /// Seconds that a request may take to arrive, and to be answered
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().time.as_secs())]
    max_time: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    /// A line each, to be read
    Text,
    /// A JSON object a line
    Json,
    /// Nothing but faults
    None,
}

/// Runs the command until it is asked to end.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (embedder, gallery) = arguments.open()?;
    let told = arguments.network.teller();
    let server = Server::new(embedder, gallery, arguments.config(), told)?;
    server.run()?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The model and the gallery: of the two, either says the other where that can be.
    fn open(&self) -> Result<(Embedder, Option<Gallery>)> {
        let device = self.device.open()?;
        let Some(place) = &self.gallery else {
            let model = self.model.as_ref().context("name a model, or --gallery")?;
            return Ok((Embedder::load(model, &device)?, None));
        };
        let gallery = match (Gallery::open(place), &self.model) {
            (Err(Error::None { .. }), Some(model)) => {
                let embedder = Embedder::load(model, &device)?;
                let gallery = Gallery::create(place, &embedder)?;
                eprintln!("{place}: a new gallery");
                return Ok((embedder, Some(gallery)));
            }
            (gallery, _) => gallery?,
        };
        let own = PathBuf::from(&gallery.about().model.place);
        let embedder = match &self.model {
            Some(model) => Embedder::load(model, &device)?,
            None => Embedder::load(&own, &device).with_context(|| {
                format!("the model of {place} is not where it was; name it before --gallery")
            })?,
        };
        Ok((embedder, Some(gallery)))
    }

    fn config(&self) -> Config {
        let limits = &self.limits;
        Config {
            limits: Limits {
                body: limits.max_body.saturating_mul(1 << 20),
                pixels: limits.max_pixels.saturating_mul(1_000_000),
                k: limits.max_k,
                requests: limits.max_requests,
                queue: limits.max_queue,
                time: Duration::from_secs(limits.max_time),
                ..Limits::default()
            },
            ..self.network.config()
        }
    }
}

impl Network {
    /// What it says, with the usual limits.
    pub(crate) fn config(&self) -> Config {
        let told = || std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let access = match (&self.token, self.no_token) {
            (Some(token), _) => Access::Token(token.clone()),
            (None, true) => Access::Anyone,
            (None, false) => told().map_or(Access::Loopback, Access::Token),
        };
        Config {
            address: (self.host, self.port).into(),
            access,
            names: self.name.clone(),
            ..Config::default()
        }
    }

    /// Tells of a server as `--log` says.
    pub(crate) fn teller(&self) -> impl Fn(Event) + Send + Sync + use<> {
        let log = self.log;
        move |event| tell(log, event)
    }
}

fn tell(log: Log, event: Event) {
    match event {
        Event::Listening(address) => println!("listening on http://{address}"),
        Event::Ending => {
            eprintln!("ending when what has begun is done; press Ctrl-C again to end at once")
        }
        Event::Fault { id, why } => match log {
            Log::Json => eprintln!("{}", json!({"id": id, "fault": why})),
            Log::Text | Log::None => eprintln!("error: {id}: {why}"),
        },
        Event::Answered(answered) => tell_answered(log, &answered),
        _ => {}
    }
}

fn tell_answered(log: Log, answered: &Answered) {
    let Answered {
        id,
        method,
        path,
        status,
        time,
    } = answered;
    let ms = time.as_secs_f64() * 1e3;
    match log {
        Log::Text => eprintln!("{id} {method} {path} {status} {ms:.1} ms"),
        Log::Json => eprintln!(
            "{}",
            json!({"id": id, "method": method, "path": path, "status": status, "ms": ms})
        ),
        Log::None => {}
    }
}
