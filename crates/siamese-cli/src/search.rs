//! `siamese search`: what is nearest to pictures in a gallery.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use siamese_gallery::{Filter, Match};

use crate::crop::face_json;
use crate::output::FAILURE;
use crate::probes::{Asked, each, say_unread};
use crate::sheet::Sheet;

/// Arguments of `siamese search`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// How many to find
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// Among those alone whose class, name, id or free JSON is so; may be repeated
    #[arg(long = "where", value_name = "class=NAME")]
    filter: Vec<String>,
    /// By the index of a gallery in PostgreSQL, without reading it all: one of the nearest may be missing
    #[arg(long)]
    approximate: bool,
}

/// Runs the command: exit code 0, or 2 where a probe could not be read.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (asked, k) = (&arguments.asked, arguments.k);
    ensure!(k > 0, "-k 0: find at least one");
    let filter = Filter::parse(&arguments.filter)?;
    let (mut gallery, embedder) = asked.gallery.open()?;
    let pictures = asked.pictures.open()?;
    let mut sheet = Sheet::default();
    let unread = each(&embedder, &pictures, |probe| {
        let name = &pictures.items[probe.item].name;
        let matches = match arguments.approximate {
            true => gallery.search_near(&probe.embedding, k, &filter)?,
            false => gallery.search(&probe.embedding, k, &filter)?,
        };
        if asked.json {
            let matches: Vec<_> = matches.iter().map(as_json).collect();
            let mut line = json!({"probe": name, "matches": matches});
            if let Some(face) = &probe.face {
                line["face"] = face_json(face);
            }
            println!("{line}");
        } else {
            println!("{name}");
            for near in &matches {
                println!("  {:.4}  {}  {}", near.distance, near.class, near.name);
            }
            if matches.is_empty() {
                println!("  nothing in the gallery is so");
            }
        }
        if asked.report.is_some() {
            sheet.push(&mut gallery, (name, &probe.picture), "", &matches)?;
        }
        Ok(())
    })?;
    say_unread(&unread, asked.json);
    if let Some(path) = &asked.report {
        sheet.write(path, &mut gallery, String::new())?;
    }
    Ok(match unread.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILURE),
    })
}

/// A match as programs read it.
pub(crate) fn as_json(near: &Match) -> serde_json::Value {
    json!({"class": near.class, "name": near.name, "distance": near.distance, "id": near.id})
}
