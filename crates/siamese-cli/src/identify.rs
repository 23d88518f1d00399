//! `siamese identify`: of whom or what in a gallery are pictures?

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use siamese_core::metrics::open_set::{KnownProbe, open_set};
use siamese_embed::{Embedded, NO_FACE};
use siamese_gallery::{Identified, Identify, Limit, Together};

use crate::crop::{face_in_words, face_json};
use crate::output::FAILURE;
use crate::probes::{Asked, each_with_all, say_unread};
use crate::search::as_json;
use crate::sheet::Sheet;
use crate::verify::warn_of_strange;

/// Arguments of `siamese identify`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Classes to tell, nearest first
    #[arg(short, default_value_t = 5)]
    k: usize,
    /// How several examples of a class count together
    #[arg(long, value_enum, default_value = "nearest")]
    together: By,
    /// The distance from which on a probe is unknown [default: fitted by leaving classes out of the gallery, for 1 %
    /// false alarms; for a small gallery estimated from its unlike pairs and the model's probabilities]
    #[arg(long, value_name = "DISTANCE")]
    threshold: Option<f64>,
    /// Of probes in class folders, the figures at this share of false alarms
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    false_alarms: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// A class is as far as the nearest of its examples
    Nearest,
    /// A class is as far as its examples are on average
    Mean,
}

/// Runs the command: exit code 0 where all are known, 1 where one is unknown (2 and more are failures).
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let asked = &arguments.asked;
    ensure!(arguments.k > 0, "-k 0: tell at least one class");
    let alarms = arguments.false_alarms;
    ensure!(
        (0.0..=1.0).contains(&alarms),
        "--false-alarms {alarms} is no share from 0 to 1"
    );
    let how = Identify {
        classes: arguments.k,
        together: match arguments.together {
            By::Nearest => Together::Nearest,
            By::Mean => Together::Mean,
        },
        threshold: arguments.threshold,
    };
    let (mut gallery, embedder) = asked.gallery.open()?;
    let pictures = asked.pictures.open()?;
    let limit = match how.threshold {
        Some(threshold) => Limit {
            threshold: Some(threshold),
            together: how.together,
            why: "as told".into(),
        },
        None => gallery.limit(how.together)?,
    };
    if let Some(threshold) = limit.threshold {
        eprintln!("threshold {threshold:.4}, {}", limit.why);
    } else {
        eprintln!("no threshold, nobody is called unknown: {}", limit.why);
    }
    let enrolled = gallery.classes()?;
    ensure!(
        !enrolled.is_empty(),
        "{} is empty: add pictures to it first",
        gallery.place()
    );
    let mut sheet = Sheet::default();
    let mut judged = Judged::default();
    let mut unknown = 0;
    let unread = each_with_all(&embedder, &pictures, |item, probes| {
        let name = &pictures.items[item].name;
        let mut answers = Vec::with_capacity(probes.len());
        for probe in &probes {
            answers.push(gallery.identify(&probe.embedding, &how)?);
        }
        let is_unknown = |answer: &Identified| answer.known == Some(false);
        unknown += usize::from(answers.is_empty() || answers.iter().any(is_unknown));
        match asked.json {
            true => println!("{}", line(name, &probes, &answers)),
            false => say(name, &probes, &answers),
        }
        for strange in probes.iter().filter_map(|probe| probe.strange) {
            warn_of_strange(&embedder, name.as_ref(), strange);
        }
        // of several faces the largest is taken for the one that the folder is called by
        if let Some(class) = pictures.class_of(item) {
            judged.see(class, &enrolled, answers.first());
        }
        for (probe, answer) in probes
            .iter()
            .zip(&answers)
            .filter(|_| asked.report.is_some())
        {
            let said = class(answer).unwrap_or("unknown");
            let picture = (name.as_str(), &probe.picture);
            sheet.push(&mut gallery, picture, said, &answer.matches)?;
        }
        Ok(())
    })?;
    say_unread(&unread, asked.json);
    judged.tell(alarms)?;
    if let Some(path) = &asked.report {
        let probes = pictures.len() - unread.len();
        let verdict = format!("{} of {probes} probes are known.", probes - unknown);
        sheet.write(path, &mut gallery, verdict)?;
    }
    Ok(match (unread.is_empty(), unknown) {
        (false, _) => ExitCode::from(FAILURE),
        (true, 0) => ExitCode::SUCCESS,
        (true, _) => ExitCode::from(1),
    })
}

/// The class that is answered; `None` where the probe is unknown.
fn class(answer: &Identified) -> Option<&str> {
    let nearest = answer.matches.first()?;
    (answer.known != Some(false)).then_some(nearest.class.as_str())
}

/// A probe as programs read it: what is answered of it, or of its largest face; and where faces were looked for, of each.
fn line(name: &str, probes: &[Embedded], answers: &[Identified]) -> Value {
    let mut line = match answers.first() {
        Some(answer) => answer_json(answer),
        None => json!({
            "known": null, "class": null, "distance": null, "probability": null, "matches": [], "why": NO_FACE,
        }),
    };
    line["probe"] = name.into();
    let face = |(probe, answer): (&Embedded, &Identified)| {
        let mut face = answer_json(answer);
        face["face"] = face_json(probe.face.as_ref()?);
        Some(face)
    };
    let faces: Vec<Value> = probes.iter().zip(answers).filter_map(face).collect();
    if answers.is_empty() || !faces.is_empty() {
        line["faces"] = faces.into();
    }
    line
}

fn answer_json(answer: &Identified) -> Value {
    json!({
        "known": answer.known,
        "class": class(answer),
        "distance": answer.matches.first().map(|nearest| nearest.distance),
        "probability": answer.probability,
        "matches": answer.matches.iter().map(as_json).collect::<Vec<_>>(),
    })
}

/// A probe in a line, or a line for each of several faces.
fn say(name: &str, probes: &[Embedded], answers: &[Identified]) {
    if answers.is_empty() {
        println!("{name}: {NO_FACE}");
    }
    for (probe, answer) in probes.iter().zip(answers) {
        let face = probe.face.as_ref().filter(|face| face.of > 1);
        let face = face.map_or(String::new(), |face| format!(", {}", face_in_words(face)));
        println!("{name}{face}: {}", words(answer));
    }
}

fn words(answer: &Identified) -> String {
    let Some((nearest, others)) = answer.matches.split_first() else {
        return "unknown · the gallery is empty".into();
    };
    let chance = answer
        .probability
        .map(|p| format!(" · probability of same {p:.3}"));
    let chance = chance.unwrap_or_default();
    let first = match class(answer) {
        Some(class) => format!("{class} · distance {:.4}{chance}", nearest.distance),
        None => format!(
            "unknown · nearest {} at {:.4}{chance}",
            nearest.class, nearest.distance
        ),
    };
    let other = |other: &siamese_gallery::Match| format!("{} {:.4}", other.class, other.distance);
    let others: Vec<String> = others.iter().take(2).map(other).collect();
    match others.is_empty() {
        true => first,
        false => format!("{first} · then {}", others.join(", ")),
    }
}

/// Probes whose class is told by their folders.
#[derive(Default)]
struct Judged {
    known: Vec<KnownProbe>,
    strangers: Vec<f32>,
    /// Answers at the threshold in use: right of the known, "unknown" of the strangers.
    right: (usize, usize),
    /// Those in which no face was found; they are in no figure.
    faceless: usize,
}

impl Judged {
    fn see(&mut self, own: &str, enrolled: &BTreeMap<String, usize>, answer: Option<&Identified>) {
        let Some(answer) = answer else {
            self.faceless += 1;
            return;
        };
        let Some(nearest) = answer.matches.first() else {
            return;
        };
        let distance = nearest.distance;
        if enrolled.contains_key(own) {
            let right = nearest.class == own;
            self.known.push(KnownProbe { distance, right });
            self.right.0 += usize::from(class(answer) == Some(own));
        } else {
            self.strangers.push(distance);
            self.right.1 += usize::from(class(answer).is_none());
        }
    }

    /// Tells the figures, on standard error so that answers stay a line each.
    fn tell(&self, alarms: f64) -> Result<()> {
        let share = |part: usize, of: usize| {
            format!("{:.1} % ({part} of {of})", 100.0 * part as f64 / of as f64)
        };
        if self.faceless > 0 {
            let probes = siamese_words::counted(self.faceless, "probe");
            eprintln!("{probes} without a face: in none of the figures");
        }
        if !self.known.is_empty() {
            let rank_1 = self.known.iter().filter(|probe| probe.right).count();
            let (known, right) = (self.known.len(), self.right.0);
            eprintln!("probes whose class is in the gallery:");
            eprintln!(
                "  nearest class is their own, rank 1: {}",
                share(rank_1, known)
            );
            eprintln!(
                "  answered rightly at the threshold: {}",
                share(right, known)
            );
        }
        if !self.strangers.is_empty() {
            let (strangers, refused) = (self.strangers.len(), self.right.1);
            eprintln!("strangers, whose class is not:");
            eprintln!(
                "  called unknown at the threshold: {}",
                share(refused, strangers)
            );
        }
        if !self.known.is_empty() && !self.strangers.is_empty() {
            let figures = open_set(&self.known, &self.strangers, alarms)?;
            eprintln!(
                "open set: detection and identification rate {:.1} % at {:.1} % false alarms (threshold {:.4}, fitted on these strangers)",
                100.0 * figures.detection_and_identification,
                100.0 * figures.false_alarms,
                figures.threshold
            );
        }
        Ok(())
    }
}
