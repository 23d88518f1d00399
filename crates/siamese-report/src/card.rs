//! The model card: `README.md` beside a model, readable by people and by the Hugging Face hub.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use siamese_files::legible;
use siamese_metrics::Figure;

use crate::data::{Direction, SetFigures, described, distinct};
use crate::error::{Result, write};
use crate::text::plain;

/// What a person must know of a model before using it.
///
/// ```
/// use siamese_metrics::Figure;
/// use siamese_report::{ModelCard, SetFigures};
///
/// let card = ModelCard {
///     name: "birds-contrastive".into(),
///     distance: "Euclidean".into(),
///     threshold: Some(0.62),
///     figures: vec![SetFigures::new(vec![
///         Figure::new("roc_auc", 0.91).with_interval(0.90, 0.92),
///     ])],
///     ..Default::default()
/// };
/// assert!(card.to_markdown().contains("| ROC AUC | 0.9100 | 0.9000 – 0.9200 |"));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCard {
    /// Name of the model.
    pub name: String,
    /// A sentence or two: what it is.
    pub summary: String,
    /// SPDX name of the licence of the weights.
    pub license: Option<String>,
    /// Name of the data set, for people.
    pub data_name: String,
    /// Its id on the Hugging Face hub, `user/name`, if it lies there: without one no results are listed for the hub.
    pub data_id: Option<String>,
    /// The licence of the data set.
    pub data_license: Option<String>,
    /// How the data set asks to be cited.
    pub citation: Option<String>,
    /// What was used of it: images, classes, splits.
    pub data: String,
    /// Whether only the sample that comes with the sources was used.
    pub bundled_sample: bool,
    /// Images that it takes: "32×32 RGB, scaled to mean 0 and deviation 1 per channel".
    pub input: String,
    /// Layers, number of parameters, embedding size.
    pub architecture: String,
    /// Name of the distance between embeddings.
    pub distance: String,
    /// Pairs closer than this are called the same.
    pub threshold: Option<f64>,
    /// What the threshold was fitted to: "best accuracy on the validation pairs".
    pub threshold_target: String,
    /// Loss, optimizer, epochs, seed: one line each.
    pub training: Vec<String>,
    /// The figures of each set of test images.
    pub figures: Vec<SetFigures>,
    /// How they were measured: number of pairs, how the intervals were drawn.
    pub figures_note: String,
    /// Shell commands that use the model.
    pub usage: Vec<String>,
    /// What it cannot do or was not tried for; said beside what is true of all such models.
    pub limits: Vec<String>,
    /// Commands that train it again.
    pub reproduce: Vec<String>,
}

impl ModelCard {
    /// The card as Markdown with the hub's front matter.
    pub fn to_markdown(&self) -> String {
        let mut text = self.front_matter();
        let _ = writeln!(text, "# {}\n", inline(&self.name));
        if self.bundled_sample {
            text.push_str(
                "> [!WARNING]\n> **Trained on the bundled sample only.** The figures below show that \
                 the path works, not how good the method is. Do not use this model for anything.\n\n",
            );
        }
        paragraph(&mut text, &self.summary);
        self.facts(&mut text);
        self.threshold(&mut text);
        section(&mut text, "Usage", &code("sh", &self.usage));
        self.result(&mut text);
        section(&mut text, "Training", &list(&self.training));
        section(&mut text, "Do it again", &code("sh", &self.reproduce));
        section(&mut text, "Limits", &list(&self.all_limits()));
        let citation = self.citation.iter().map(|text| inline(text));
        section(&mut text, "Citation", &citation.collect::<String>());
        text
    }

    /// Writes the card; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.to_markdown().as_bytes())
    }

    fn front_matter(&self) -> String {
        let mut yaml = String::from("---\n");
        if let Some(license) = &self.license {
            let _ = writeln!(yaml, "license: {}", quoted(license));
        }
        yaml.push_str("library_name: siamese\npipeline_tag: image-feature-extraction\ntags:\n");
        for tag in [
            "siamese",
            "image-similarity",
            "metric-learning",
            "verification",
            "candle",
        ] {
            let _ = writeln!(yaml, "- {tag}");
        }
        if let Some(id) = &self.data_id {
            let _ = writeln!(yaml, "datasets:\n- {}", quoted(id));
            // a sample's figures are no results
            if !self.bundled_sample {
                yaml.push_str(&self.model_index(id));
            }
        }
        yaml + "---\n\n"
    }

    /// The figures as the hub lists them, of a data set that has an id there; nothing where no figure is finite.
    fn model_index(&self, data_id: &str) -> String {
        let mut metrics = String::new();
        for SetFigures { set, figures } in &self.figures {
            let finite = |figure: &&Figure| figure.value.is_finite();
            for figure in distinct(figures).into_iter().filter(finite) {
                let (label, _) = described(&figure.name);
                let label = match set.as_str() {
                    "" => label,
                    set => format!("{label} ({set})"),
                };
                let _ = writeln!(
                    metrics,
                    "    - type: {}\n      value: {}\n      name: {}",
                    quoted(&figure.name),
                    figure.value,
                    quoted(&label)
                );
            }
        }
        if metrics.is_empty() {
            return metrics;
        }
        let data_name = match self.data_name.as_str() {
            "" => data_id,
            name => name,
        };
        format!(
            "model-index:\n- name: {}\n  results:\n  - task:\n      type: image-feature-extraction\n      \
             name: Image similarity\n    dataset:\n      type: {}\n      name: {}\n      split: test\n    metrics:\n{metrics}",
            quoted(&self.name),
            quoted(data_id),
            quoted(data_name)
        )
    }

    fn facts(&self, text: &mut String) {
        let data = [self.data_name.as_str(), self.data.as_str()];
        let data: Vec<_> = data.into_iter().filter(|part| !part.is_empty()).collect();
        let facts = [
            ("Input", self.input.clone()),
            ("Tower", self.architecture.clone()),
            ("Distance", self.distance.clone()),
            ("Data", data.join(": ")),
            (
                "Licence of the data",
                self.data_license.clone().unwrap_or_default(),
            ),
        ];
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "- **{name}**: {}", inline(value));
        }
        text.push('\n');
    }

    fn threshold(&self, text: &mut String) {
        let Some(threshold) = self.threshold.filter(|value| value.is_finite()) else {
            return;
        };
        let distance = if self.distance.is_empty() {
            "distance"
        } else {
            &self.distance
        };
        let fitted = match self.threshold_target.as_str() {
            "" => String::new(),
            target => format!(", fitted to {}", inline(target)),
        };
        let body = format!(
            "Two images are called the same when the {} distance of their embeddings is below \
             **{threshold:.6}**{fitted}. It is stored in the model file, and `siamese verify` uses \
             it. It holds for this model and this distance only: for images of another kind, fit it \
             again on pairs of your own (`siamese evaluate`).\n",
            inline(distance.trim_end_matches(" distance"))
        );
        section(text, "Threshold", &body);
    }

    fn result(&self, text: &mut String) {
        if self.figures.iter().all(|set| set.figures.is_empty()) {
            return;
        }
        let named = self.figures.iter().any(|set| !set.set.is_empty());
        let mut table = String::new();
        if !self.figures_note.is_empty() {
            let _ = writeln!(table, "{}\n", inline(&self.figures_note));
        }
        let (head, rule) = if named { ("| On ", "|---") } else { ("", "") };
        let _ = writeln!(
            table,
            "{head}| Figure | Value | 95% interval |\n{rule}|---|---:|---|"
        );
        for set in &self.figures {
            let on = match named {
                true => format!("| {} ", cell(&set.set)),
                false => String::new(),
            };
            for figure in distinct(&set.figures) {
                let _ = writeln!(table, "{on}{}", row(figure));
            }
        }
        if table.contains(LESS) {
            let _ = writeln!(table, "\n{LESS} less is better.");
        }
        section(text, "Result", &table);
    }

    fn all_limits(&self) -> Vec<String> {
        let mut limits = self.limits.clone();
        limits.push(
            "It was measured on images like those it was trained on. On others (another camera, \
             size, subject) expect less, and fit the threshold again."
                .into(),
        );
        limits.push(
            "A distance says how alike two images look to this model, not whether two things or \
             people are the same. Do not let it decide about people by itself."
                .into(),
        );
        limits
    }
}

/// Marks a figure of which less is better.
const LESS: &str = "↓";

/// A figure with its interval, without what it was measured on.
fn row(figure: &Figure) -> String {
    let (label, direction) = described(&figure.name);
    let less = match direction {
        Direction::Lower => format!(" {LESS}"),
        Direction::Higher | Direction::Neither => String::new(),
    };
    let interval = figure.interval.map_or_else(String::new, |span| {
        format!("{} – {}", plain(span.low, 4), plain(span.high, 4))
    });
    let value = plain(figure.value, 4);
    format!("| {}{less} | {value} | {interval} |", cell(&label))
}

fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = writeln!(text, "## {title}\n\n{}\n", body.trim_end());
    }
}

fn paragraph(text: &mut String, body: &str) {
    if !body.is_empty() {
        let _ = writeln!(text, "{}\n", inline(body));
    }
}

fn list(items: &[String]) -> String {
    items
        .iter()
        .map(|item| format!("- {}\n", inline(item)))
        .collect()
}

fn code(language: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines = legible(&lines.join("\n")).into_owned();
    // a fence ends at as many backticks as it began with
    let runs = lines.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("{fence}{language}\n{lines}\n{fence}\n")
}

/// Text on one line that starts no HTML, and nothing of Markdown's: names come from files.
fn inline(text: &str) -> String {
    let line = text.replace(['\n', '\r', '\t'], " ");
    let line = legible(&line);
    let mut escaped = String::with_capacity(line.len());
    let mut before = ' ';
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        // within a word it is a letter like others
        let in_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
        match letter {
            '<' => escaped.push_str("&lt;"),
            '_' if in_word(Some(&before)) && in_word(letters.peek()) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '&' => escaped.extend(['\\', letter]),
            other => escaped.push(other),
        }
        before = letter;
    }
    match escaped.trim_start().starts_with(['#', '>', '-', '+', '=']) {
        true => format!("\\{}", escaped.trim_start()),
        false => escaped,
    }
}

fn cell(text: &str) -> String {
    inline(text)
}

/// A YAML string in double quotes.
fn quoted(text: &str) -> String {
    legible(&serde_json::Value::from(text).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> ModelCard {
        ModelCard {
            name: "quick: \"one\"".into(),
            summary: "Learns <b>likeness</b>.".into(),
            license: Some("mit".into()),
            data_name: "CIFAR-100".into(),
            data_id: Some("uoft-cs/cifar100".into()),
            distance: "Euclidean".into(),
            threshold: Some(0.5),
            threshold_target: "best accuracy on validation".into(),
            figures: vec![SetFigures::new(vec![
                Figure::new("roc_auc", 0.9).with_interval(0.89, 0.91),
                Figure::new("eer", 0.17),
                Figure::new("broken", f64::NAN),
            ])],
            usage: vec!["siamese verify model.safetensors a.png b.png".into()],
            ..Default::default()
        }
    }

    #[test]
    fn the_card_says_figures_threshold_and_use() {
        let text = card().to_markdown();
        for part in [
            "| ROC AUC | 0.9000 | 0.8900 – 0.9100 |",
            "| Equal error rate ↓ | 0.1700 |  |",
            "| Broken | n/a |  |",
            "below **0.500000**, fitted to best accuracy on validation",
            "siamese verify model.safetensors",
            "- \"uoft-cs/cifar100\"",
            "value: 0.9\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("<b>") && !text.contains("NaN"));
    }

    #[test]
    fn a_figure_with_two_names_is_listed_once() {
        let both = ["precision", "precision_called_same"].map(|name| Figure::new(name, 0.75));
        let text = ModelCard {
            figures: vec![SetFigures::new(both.to_vec())],
            ..card()
        }
        .to_markdown();
        assert_eq!(text.matches("0.75").count(), 2, "{text}"); // in the table, and for the hub
    }

    #[test]
    fn a_sample_is_loud_and_reports_nothing_to_the_hub() {
        let text = ModelCard {
            bundled_sample: true,
            ..card()
        }
        .to_markdown();
        assert!(text.contains("[!WARNING]") && text.contains("bundled sample only"));
        assert!(!text.contains("model-index"));
        assert!(!card().to_markdown().contains("[!WARNING]"));
    }

    #[test]
    fn a_set_that_is_not_on_the_hub_is_named_but_not_listed_there() {
        let text = ModelCard {
            data_name: "Our birds".into(),
            data_id: None,
            data_license: Some("CC BY 4.0".into()),
            citation: Some("A. Birder, *Birds of ours*, 2024".into()),
            ..card()
        }
        .to_markdown();
        assert!(!text.contains("model-index") && !text.contains("datasets:"));
        for part in ["Our birds", "CC BY 4.0", "## Citation\n\nA. Birder"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(card().to_markdown().contains("name: \"CIFAR-100\""));
    }

    #[test]
    fn names_from_files_are_neither_markup_nor_commands() {
        let text = ModelCard {
            name: "[x](javascript:a)".into(),
            data: "*runs*/`id`/cifar_100_\u{1b}[2J\u{202e}".into(),
            figures: vec![SetFigures::on("a|b", vec![Figure::new("eer", 0.1)])],
            reproduce: vec!["siamese train '````\u{1b}'".into()],
            ..card()
        }
        .to_markdown();
        for part in [
            r"# \[x\](javascript:a)",
            r"\*runs\*/\`id\`/cifar_100\_\\u001b\[2J\\u202e",
            r"| a\|b |",
            "`````sh\nsiamese train '````\\u001b'\n`````\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn an_empty_card_is_still_markdown_with_front_matter() {
        let text = ModelCard::default().to_markdown();
        assert!(text.starts_with("---\nlibrary_name: siamese\n"));
        assert_eq!(text.matches("---\n").count(), 2);
    }
}
