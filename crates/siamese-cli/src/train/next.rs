//! What is said when a run is finished: its figures, and what to type next.

use std::path::{Path, PathBuf};

use siamese_data::Part;
use siamese_train::{RunFolder, Summary, TrainingData};

use siamese_files::quoted;

use crate::called::command;
use crate::output::offer;

/// Prints the figures, where the files are, and the next things to type. The run is whole even where they cannot be
/// printed.
pub(super) fn say(summary: &Summary, data: &TrainingData, folder: &RunFolder) {
    let place = folder.path().to_string_lossy();
    let [one, other] = match two_pictures(data, folder) {
        Some(pictures) => pictures.map(|path| path.to_string_lossy().into_owned()),
        None => ["ONE.jpg", "OTHER.jpg"].map(String::from),
    };
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "start",
        _ => "xdg-open",
    };
    let report = quoted(&format!("{place}/report.html"));
    let verify = command(["verify", &place, &one, &other]);
    let evaluate = command(["evaluate", &place, "--folder", "DIR"]);
    offer(&format!(
        "\n{summary}\n\nmodel   {place}/best.safetensors\nreport  {place}/report.html\n\n\
         now  {verify}\n     {opener} {report}\n     {evaluate}\n"
    ));
    if summary.sample {
        offer("\nWARNING: trained on the bundled sample only; these figures say little\n");
    }
}

/// Two pictures of one class that the run held out, where the set is made of files.
fn two_pictures(data: &TrainingData, folder: &RunFolder) -> Option<[PathBuf; 2]> {
    let record = folder.record().ok()?;
    let origin = Path::new(&data.about.origin);
    let root = match origin.is_dir() {
        true => origin,
        false => origin.parent()?,
    };
    let divided = data.divide(&record.config.data, record.config.seed).ok()?;
    let file = |i: u32| Some(root.join(&data.names[i as usize])).filter(|path| path.is_file());
    let held_out = [Part::Test, Part::Validation].map(|part| divided.part(part));
    let label = |i: u32| data.images.labels[i as usize];
    held_out.iter().find_map(|images| {
        let one = *images.first()?;
        let name = |i: u32| &data.names[i as usize];
        let others = || images[1..].iter().filter(|&&i| name(i) != name(one));
        // without labels none is known to be alike
        let like = others().find(|&&i| label(i) == label(one));
        let other = like.or_else(|| others().next().filter(|_| divided.unlabelled()))?;
        Some([file(one)?, file(*other)?])
    })
}
