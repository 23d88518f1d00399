//! `siamese gallery add`

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use siamese_gallery::{AddOptions, Added, Adding};

use super::entries;
use crate::crop::{face_json, say_largest};
use crate::output::FAILURE;
use crate::pictures::{PictureArguments, say_left_out};
use crate::probes::{GalleryArguments, meter};

/// Arguments of `siamese gallery add`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    gallery: GalleryArguments,
    #[command(flatten)]
    pictures: PictureArguments,
    /// The class of all of them [default: the subfolder that each lies in]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// Anything to keep beside each of them, a JSON object such as '{"year": 2024}'
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// Print a line of JSON for each, once it is on the disk
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let options = AddOptions {
        class: arguments.class.clone(),
        data: data(arguments.data.as_deref())?,
    };
    let (mut gallery, embedder) = arguments.gallery.open()?;
    let pictures = arguments.pictures.open()?;
    let mut meter = meter("adding", pictures.len());
    let report = gallery.add(&embedder, &pictures, &options, |adding| {
        meter.set(adding.item as u64 + 1);
        match arguments.json {
            true => println!("{}", line(&adding)),
            false => say_known(&adding),
        }
        say_largest(adding.name, adding.face);
    })?;
    meter.finish();
    say_left_out(&report.unread);
    let known = match report.known {
        0 => String::new(),
        known => format!(", {known} were there already"),
    };
    eprintln!("{}: {} added{known}", gallery.place(), entries(report.new));
    ensure!(
        report.new + report.known > 0,
        "not one of {} pictures was added",
        pictures.len()
    );
    Ok(match report.unread.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILURE),
    })
}

fn data(text: Option<&str>) -> Result<Value> {
    let Some(text) = text else {
        return Ok(json!({}));
    };
    let data: Value =
        serde_json::from_str(text).with_context(|| format!("--data {text:?} is no JSON"))?;
    ensure!(
        data.is_object(),
        "--data {text:?} is no JSON object such as {{\"year\": 2024}}"
    );
    Ok(data)
}

fn line(adding: &Adding) -> Value {
    let (added, id) = match adding.added {
        Added::New(id) => (true, id),
        Added::Known { id, .. } => (false, id),
    };
    let mut line = json!({"name": adding.name, "class": adding.class, "added": added, "id": id});
    if let Some(face) = adding.face {
        line["face"] = face_json(face);
    }
    line
}

fn say_known(adding: &Adding) {
    if let Added::Known { class, name, .. } = adding.added {
        let as_other = match class == adding.class {
            true => String::new(),
            false => format!(", as {class} and not {}", adding.class),
        };
        eprintln!("  there already: {} ({name}{as_other})", adding.name);
    }
}
