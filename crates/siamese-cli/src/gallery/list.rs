//! `siamese gallery list` and `info`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use siamese_gallery::{Filter, Gallery, Row, Together};

use super::entries;

/// Arguments of `siamese gallery list`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// Those alone whose class, name, id or free JSON is so; may be repeated
    #[arg(long = "where", value_name = "class=NAME")]
    filter: Vec<String>,
    /// Print every entry as JSON, a line each
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let filter = Filter::parse(&arguments.filter)?;
    let mut gallery = Gallery::open(&arguments.place)?;
    if arguments.json {
        gallery.entries(&filter, |row| {
            println!("{}", line(&row));
            Ok(())
        })?;
    } else if filter.is_all() {
        for (class, count) in gallery.classes()? {
            println!("{class}  {count}");
        }
    } else {
        gallery.entries(&filter, |row| {
            println!("{}  {}  {}", row.id, row.entry.class, row.entry.name);
            Ok(())
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(row: &Row) -> serde_json::Value {
    let entry = &row.entry;
    json!({
        "id": row.id, "class": entry.class, "name": entry.name, "source": entry.source, "hash": entry.hash,
        "time": entry.time, "data": entry.data,
    })
}

/// Arguments of `siamese gallery info`.
#[derive(Args)]
pub(crate) struct InfoArguments {
    /// The gallery: a folder, or postgres://…/DATABASE/GALLERY
    #[arg(value_name = "GALLERY")]
    place: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn info(arguments: &InfoArguments) -> Result<ExitCode> {
    let mut gallery = Gallery::open(&arguments.place)?;
    let classes = gallery.classes()?;
    let count: usize = classes.values().sum();
    let size = gallery.size()?;
    let limit = gallery.limit(Together::Nearest)?;
    let about = gallery.about();
    if arguments.json {
        let mut model = json!(about.model);
        if let Some(head) = &about.model.head {
            model["head"] = format!("{head:?}").into(); // its weights are many
        }
        let info = json!({
            "place": gallery.place(), "entries": count, "classes": classes.len(), "bytes": size,
            "model": model, "threshold": limit.threshold, "threshold_is": limit.why,
            "format": about.format, "version": about.version,
        });
        println!("{info}");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{}: {} of {} classes, {size} bytes",
        gallery.place(),
        entries(count),
        classes.len()
    );
    let model = &about.model;
    println!(
        "  model      {} ({}), {} numbers, {} distance",
        model.place,
        model.fingerprint,
        model.dim,
        model.metric()
    );
    match limit.threshold {
        Some(threshold) => println!("  threshold  {threshold:.4}, {}", limit.why),
        None => println!("  threshold  {}", limit.why),
    }
    Ok(ExitCode::SUCCESS)
}
