//! What was measured of a system, over its seeds: as Markdown, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::seed::Measured;
use super::systems::{Beat, Figure, System};

/// A system's figures over the seeds that were run.
pub(super) struct Table<'a> {
    pub(super) system: &'a System,
    /// A seed and what was measured of it, in the order in which they are shown.
    pub(super) seeds: &'a [(u64, Measured)],
    /// The command that makes this table.
    pub(super) command: &'a str,
}

/// Student's t below which 97.5 % lie, for 1, 2, … degrees of freedom; 1.96 beyond.
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// A mean with the half-width of its 95 % interval; `None` where one value has none.
struct Mean {
    value: f64,
    half: Option<f64>,
}

/// The mean of some values, and ± t·s/√n.
fn mean(values: &[f64]) -> Option<Mean> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let value = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - value).powi(2)).sum();
    let freedom = values.len() - 1;
    let half = (freedom > 0).then(|| {
        let t = T_975.get(freedom - 1).copied().unwrap_or(1.96);
        t * (squares / freedom as f64 / n).sqrt()
    });
    Some(Mean { value, half })
}

impl Table<'_> {
    fn values(&self, figure: &Figure) -> Vec<f64> {
        let values = self
            .seeds
            .iter()
            .map(|(_, measured)| measured.value(figure));
        values.flatten().collect()
    }

    /// A row a seed, the mean, what there is to beat; below it how and where it was measured.
    pub(super) fn markdown(&self) -> String {
        let figures = self.system.figures;
        let labels: Vec<&str> = figures.iter().map(|figure| figure.label).collect();
        let mut text = format!("**`{}`** · {}\n\n", self.system.name, self.system.about);
        row(&mut text, "", labels.iter().map(|s| s.to_string()), "time");
        row(&mut text, "---", labels.iter().map(|_| "---".into()), "---");
        for (seed, measured) in self.seeds {
            let cells = figures.iter().map(|figure| measured.cell(figure));
            let time = minutes(measured.seconds);
            row(&mut text, &format!("seed {seed}"), cells, &time);
        }
        let means = figures
            .iter()
            .map(|figure| match mean(&self.values(figure)) {
                Some(Mean {
                    value,
                    half: Some(half),
                }) => {
                    format!("**{} ± {}**", digits(value), digits(half))
                }
                Some(Mean { value, half: None }) => format!("**{}**", digits(value)),
                None => "–".into(),
            });
        let seconds: Vec<f64> = self.seeds.iter().map(|(_, m)| m.seconds).collect();
        let time = mean(&seconds).map_or_else(String::new, |mean| minutes(mean.value));
        row(&mut text, "**mean ± 95 %**", means, &time);
        let beats = figures.iter().map(|figure| self.beat_in_words(figure));
        row(&mut text, "to beat", beats, "");
        text + &self.footer()
    }

    /// `≥ 0.9200 (Koch): reached`.
    fn beat_in_words(&self, figure: &Figure) -> String {
        let Some(Beat {
            value,
            below,
            whose,
        }) = figure.beat
        else {
            return "–".into();
        };
        let sign = if below { "≤" } else { "≥" };
        let reached = match self.reached(figure) {
            Some(true) => ": reached",
            Some(false) => ": missed",
            None => "",
        };
        format!("{sign} {} ({whose}){reached}", digits(value))
    }

    fn reached(&self, figure: &Figure) -> Option<bool> {
        let Beat { value, below, .. } = figure.beat?;
        let mean = mean(&self.values(figure))?.value;
        Some(if below { mean <= value } else { mean >= value })
    }

    fn footer(&self) -> String {
        let mut places: Vec<String> = Vec::new();
        for (_, measured) in self.seeds {
            let place = format!("{}, commit {}", measured.hardware, measured.commit);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let sample = match self.seeds.iter().any(|(_, measured)| measured.sample) {
            true => "**Trained on the bundled sample only: these figures say little.** ",
            false => "",
        };
        format!(
            "\n{sample}Brackets: the 95 % interval of one evaluation; ±: a t interval over the seeds; time: training and \
             validation. {}; {}.\n\n```sh\n{}\n```\n",
            self.system.data,
            places.join("; "),
            self.command
        )
    }

    /// All of it, figures as they were printed by `siamese evaluate --json`.
    pub(super) fn json(&self) -> Value {
        let seed = |(seed, measured): &(u64, Measured)| {
            json!({
                "seed": seed, "seconds": measured.seconds, "hardware": measured.hardware, "commit": measured.commit,
                "sample": measured.sample, "judged": measured.judged,
            })
        };
        let summary = |figure: &Figure| {
            let mean = mean(&self.values(figure));
            json!({
                "figure": figure.key,
                "judged": figure.judged,
                "mean": mean.as_ref().map(|mean| mean.value),
                "plus_minus": mean.and_then(|mean| mean.half),
                "to_beat": figure.beat.map(|beat| beat.value),
                "whose": figure.beat.map(|beat| beat.whose),
                "reached": self.reached(figure),
            })
        };
        json!({
            "system": self.system.name,
            "command": self.command,
            "seeds": self.seeds.iter().map(seed).collect::<Vec<_>>(),
            "figures": self.system.figures.iter().map(summary).collect::<Vec<_>>(),
        })
    }
}

impl Measured {
    fn entry(&self, figure: &Figure) -> Option<&Value> {
        self.judged.get(figure.judged)?.get(figure.key)
    }

    fn value(&self, figure: &Figure) -> Option<f64> {
        self.entry(figure)?.get("value")?.as_f64()
    }

    /// `0.9400 (0.9150 – 0.9625)`; a dash where the evaluation has no such figure.
    fn cell(&self, figure: &Figure) -> String {
        let Some(value) = self.value(figure) else {
            return "–".into();
        };
        let end = |name| self.entry(figure)?.get("interval")?.get(name)?.as_f64();
        match (end("low"), end("high")) {
            (Some(low), Some(high)) => {
                format!("{} ({} – {})", digits(value), digits(low), digits(high))
            }
            _ => digits(value),
        }
    }
}

fn row(text: &mut String, first: &str, cells: impl Iterator<Item = String>, last: &str) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(text, "| {first} | {} | {last} |", cells.join(" | "));
}

fn digits(value: f64) -> String {
    format!("{value:.4}")
}

fn minutes(seconds: f64) -> String {
    format!("{:.1} min", seconds / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::systems::SYSTEMS;

    fn measured(eer: Value, seconds: f64) -> Measured {
        Measured {
            judged: vec![json!({ "eer": eer, "pairs": { "like": 450 } })],
            seconds,
            hardware: "2 cores".into(),
            commit: "abc1234".into(),
            sample: seconds > 1000.0,
        }
    }

    fn faces() -> &'static System {
        SYSTEMS
            .iter()
            .find(|system| system.name == "att-faces")
            .unwrap()
    }

    #[test]
    fn a_mean_has_students_interval_over_the_seeds() {
        let three = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(three.value, 2.0);
        // s = 1: 4.303 / √3
        assert!((three.half.unwrap() - 2.484).abs() < 1e-3);
        let one = mean(&[0.25]).unwrap();
        assert_eq!((one.value, one.half), (0.25, None));
        assert!(mean(&[]).is_none());
        let many: Vec<f64> = (0..101).map(|i| f64::from(i % 2)).collect();
        let expected = 1.96 * 0.25f64.sqrt() / 10.0;
        assert!((mean(&many).unwrap().half.unwrap() - expected).abs() < 1e-3);
    }

    #[test]
    fn a_table_has_a_row_for_each_seed_the_mean_and_what_there_is_to_beat() {
        let interval = json!({ "low": 0.01, "high": 0.05 });
        let seeds = [
            (
                4,
                measured(json!({ "value": 0.02, "interval": interval }), 60.0),
            ),
            (
                7,
                measured(json!({ "value": 0.04, "interval": null }), 90.0),
            ),
        ];
        let (system, command) = (faces(), "cargo xtask reproduce att-faces");
        let table = Table {
            system,
            seeds: &seeds,
            command,
        };
        let text = table.markdown();
        let row = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(row("| seed 4").starts_with("| seed 4 | 0.0200 (0.0100 – 0.0500) | –"));
        assert!(row("| seed 4").ends_with("| 1.0 min |"));
        assert!(row("| seed 7").starts_with("| seed 7 | 0.0400 | –"));
        // t of one degree of freedom 12.706, s/√2 = 0.01
        assert!(row("| **mean").contains("**0.0300 ± 0.1271**"));
        assert!(row("| to beat").contains("≤ 0.0333 (published): reached"));
        assert!(text.contains("2 cores, commit abc1234") && text.contains(command));
        let columns = |line: &str| line.matches(" | ").count();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(rows.len(), 6);
        assert!(
            rows.iter()
                .all(|row| columns(row) == system.figures.len() + 1),
            "{text}"
        );

        let told = table.json();
        assert_eq!(told["figures"][0]["reached"], true);
        assert_eq!(told["figures"][1]["mean"], Value::Null);
        assert_eq!(told["seeds"][1]["judged"][0]["pairs"]["like"], 450);
    }

    #[test]
    fn a_figure_that_misses_says_so() {
        let seeds = [(0, measured(json!({ "value": 0.2 }), 1.0))];
        let (system, command) = (faces(), "");
        let text = Table {
            system,
            seeds: &seeds,
            command,
        }
        .markdown();
        assert!(text.contains("≤ 0.0333 (published): missed"), "{text}");
        assert!(text.contains("**0.2000**"), "{text}");
        assert!(!text.contains("sample"), "{text}");
    }

    #[test]
    fn figures_of_the_sample_are_told_from_those_of_the_whole_set() {
        let seeds = [(0, measured(json!({ "value": 0.01 }), 2000.0))];
        let (system, command) = (faces(), "");
        let table = Table {
            system,
            seeds: &seeds,
            command,
        };
        assert!(table.markdown().contains("bundled sample only"));
        assert_eq!(table.json()["seeds"][0]["sample"], true);
    }
}
