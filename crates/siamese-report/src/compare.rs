//! Several runs side by side: figures, curves, what differs.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use siamese_metrics::Figure;
use siamese_metrics::verification::RocPoint;

use crate::chart::{Canvas, Series, Tone, line};
use crate::data::{Banner, EpochRow, RunReport};
use crate::error::{Result, write};
use crate::page::{Curve, Head, Section, comparison_table, figure, flatten, page, percent_axis};
use crate::text::escape;

/// One run of a comparison. A [`RunReport`] turns into one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ComparedRun {
    /// Name of the run.
    pub name: String,
    /// Its final figures; of the first set where it was tested on several.
    pub figures: Vec<Figure>,
    /// One row per epoch.
    pub epochs: Vec<EpochRow>,
    /// The epoch whose weights were kept.
    pub best_epoch: Option<usize>,
    /// Its ROC curve.
    pub roc: Vec<RocPoint>,
    /// Its configuration; the page shows where the runs differ.
    pub config: serde_json::Value,
    /// What its figures are of, as names and values; it is part of what differs, and runs of different sets have no
    /// winner.
    pub judged: serde_json::Value,
}

impl From<&RunReport> for ComparedRun {
    fn from(report: &RunReport) -> Self {
        Self {
            name: report.name.clone(),
            figures: report
                .figures
                .first()
                .map_or_else(Vec::new, |set| set.figures.clone()),
            epochs: report.epochs.clone(),
            best_epoch: report.best_epoch,
            roc: report.roc.clone(),
            config: report.config.clone(),
            judged: serde_json::Value::Null,
        }
    }
}

/// Everything that `compare.html` can show.
///
/// ```
/// use siamese_metrics::Figure;
/// use siamese_report::{CompareReport, ComparedRun};
///
/// let run = |name: &str, auc| ComparedRun {
///     name: name.into(),
///     figures: vec![Figure::new("roc_auc", auc)],
///     ..Default::default()
/// };
/// let report = CompareReport {
///     runs: vec![run("margin 1", 0.91), run("margin 2", 0.92)],
///     ..Default::default()
/// };
/// assert!(report.to_html().contains("margin 2"));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CompareReport {
    /// The page's title; made from the number of runs when empty.
    pub title: String,
    /// Said before everything else: runs that are not to be compared.
    pub banners: Vec<Banner>,
    /// The runs, in the order of the columns.
    pub runs: Vec<ComparedRun>,
}

impl CompareReport {
    /// The comparison as one HTML page that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        let title = match self.title.as_str() {
            "" => format!("{} runs side by side", self.runs.len()),
            title => title.to_string(),
        };
        let head = Head {
            kicker: "Siamese network · comparison",
            title: &title,
            banners: &self.banners,
            ..Head::default()
        };
        let sections = [
            self.figures(),
            self.curves(),
            self.roc(),
            self.differences(),
        ];
        page(&head, &sections.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Writes the page; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.to_html().as_bytes())
    }

    /// Whether the figures of all runs are of the same images and pairs.
    pub fn judged_alike(&self) -> bool {
        let mut pairs = self.runs.windows(2);
        pairs.all(|two| two[0].judged == two[1].judged)
    }

    fn figures(&self) -> Option<Section> {
        if self.runs.is_empty() {
            return None;
        }
        let columns: Vec<_> = self
            .runs
            .iter()
            .enumerate()
            .map(|(at, run)| {
                let best = run.best_epoch.map_or_else(String::new, |best| {
                    format!("<br>{} epochs, best {best}", run.epochs.len())
                });
                (
                    format!("{} {}{best}", swatch(at), escape(&run.name)),
                    &run.figures[..],
                )
            })
            .collect();
        let alike = self.judged_alike();
        let best = match alike {
            true => {
                "the best of each row is bold. Where intervals overlap much, the difference may be chance"
            }
            false => {
                "these runs were judged on different images or pairs, so that none is the best"
            }
        };
        let body = format!(
            "<p class=\"lead\">Values with their 95% intervals; {best}.</p>\n{}",
            comparison_table(&columns, alike)
        );
        Some(Section {
            id: "figures",
            title: "Figures",
            short: "Figures",
            body,
        })
    }

    fn curves(&self) -> Option<Section> {
        const CURVES: [Curve; 9] = [
            Curve::TRAIN_LOSS,
            Curve::VALIDATION_LOSS,
            Curve::AUC,
            Curve::EER,
            Curve::ACCURACY,
            Curve::RATE,
            Curve::SPREAD,
            Curve::ACTIVE,
            Curve::SPEED,
        ];
        let mut charts = String::new();
        for curve in CURVES {
            let series: Vec<Series> = self
                .runs
                .iter()
                .enumerate()
                .map(|(at, run)| {
                    Series::new(&letter(at), Tone::Colour(at), curve.points(&run.epochs))
                })
                .filter(|series| !series.points.is_empty())
                .collect();
            if !series.is_empty() {
                let svg = curve.chart(&series, &[]);
                charts.push_str(&figure("", curve.title, "", &svg));
            }
        }
        if charts.is_empty() {
            return None;
        }
        let body = format!("{}<div class=\"sheet\">\n{charts}</div>\n", self.key());
        Some(Section {
            id: "curves",
            title: "Training",
            short: "Training",
            body,
        })
    }

    fn roc(&self) -> Option<Section> {
        let mut series = vec![Series::new("", Tone::Muted, vec![(0.0, 0.0), (1.0, 1.0)]).dashed()];
        let drawn = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| !run.roc.is_empty());
        for (at, run) in drawn {
            let points: Vec<_> = run.roc.iter().map(|point| (point.far, point.tar)).collect();
            let named_at = on_ray(&run.roc, at, self.runs.len());
            series.push(Series::new(&letter(at), Tone::Colour(at), points).named_at(named_at));
        }
        if series.len() == 1 {
            return None;
        }
        let canvas = Canvas::new(
            "ROC curves",
            percent_axis("unlike pairs called the same (FAR)"),
            percent_axis("like pairs called the same (TAR)"),
        )
        .sized(360.0, 320.0);
        let svg = line(&canvas, &series, &[]);
        let body = format!(
            "{}{}",
            self.key(),
            figure("", "ROC", "dashed: chance", &svg)
        );
        Some(Section {
            id: "roc",
            title: "ROC curves",
            short: "ROC",
            body,
        })
    }

    fn differences(&self) -> Option<Section> {
        let configs: Vec<Vec<(String, String)>> = self.runs.iter().map(all_settings).collect();
        if configs.iter().all(Vec::is_empty) {
            return None;
        }
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in configs.iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let value = |config: &[(String, String)], name: &str| {
            config
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone())
        };
        let mut rows = String::new();
        for name in names {
            let values: Vec<_> = configs.iter().map(|config| value(config, name)).collect();
            if values.windows(2).any(|two| two[0] != two[1]) {
                let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", escape(name));
                for value in values {
                    let _ = write!(rows, "<td>{}</td>", escape(value.as_deref().unwrap_or("–")));
                }
                rows.push_str("</tr>\n");
            }
        }
        let body = if rows.is_empty() {
            "<p>The configurations are the same.</p>\n".to_string()
        } else {
            let heads: String = (0..self.runs.len())
                .map(|at| format!("<th scope=\"col\">{}</th>", swatch(at)))
                .collect();
            format!(
                "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Setting</th>{heads}</tr>\
                 </thead><tbody>\n{rows}</tbody></table></div>\n"
            )
        };
        Some(Section {
            id: "differences",
            title: "What differs",
            short: "Differences",
            body,
        })
    }

    /// Which letter and colour is which run.
    fn key(&self) -> String {
        let name = |(at, run): (usize, &ComparedRun)| {
            format!(
                "<span class=\"run\">{} {}</span> ",
                swatch(at),
                escape(&run.name)
            )
        };
        let names: String = self.runs.iter().enumerate().map(name).collect();
        format!("<p class=\"key\">{names}</p>\n")
    }
}

/// Name of a run in the charts: A, B, … Z, then 27, 28, …
fn letter(at: usize) -> String {
    match u8::try_from(at) {
        Ok(number) if number < 26 => char::from(b'A' + number).to_string(),
        _ => (at + 1).to_string(),
    }
}

fn swatch(at: usize) -> String {
    format!(
        "<span class=\"swatch {}\">{}</span>",
        Tone::Colour(at).class(),
        letter(at)
    )
}

/// The point of a ROC curve nearest to a ray from its upper left corner. Every run has a ray of
/// its own, so that names do not meet however close the curves are.
fn on_ray(roc: &[RocPoint], at: usize, runs: usize) -> usize {
    let angle = (at + 1) as f64 / (runs + 1) as f64 * std::f64::consts::FRAC_PI_2;
    let (right, down) = angle.sin_cos();
    let off = |point: &RocPoint| (point.far * down - (1.0 - point.tar) * right).abs();
    let nearest = roc
        .iter()
        .enumerate()
        .min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    nearest.map_or(0, |(index, _)| index)
}

/// What was judged, and the configuration.
fn all_settings(run: &ComparedRun) -> Vec<(String, String)> {
    let judged = flatten(&run.judged).into_iter();
    let judged = judged.map(|(name, value)| (format!("judged: {name}"), value));
    judged.chain(flatten(&run.config)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, auc: f64, margin: f64) -> ComparedRun {
        ComparedRun {
            name: name.into(),
            figures: vec![Figure::new("roc_auc", auc), Figure::new("eer", 1.0 - auc)],
            epochs: vec![EpochRow {
                epoch: 1,
                train_loss: auc,
                ..Default::default()
            }],
            config: serde_json::json!({ "seed": 7, "loss": { "margin": margin } }),
            ..Default::default()
        }
    }

    #[test]
    fn the_best_of_a_row_goes_by_its_direction() {
        let runs = vec![run("a", 0.8, 1.0), run("b", 0.9, 1.0)];
        let html = CompareReport {
            runs,
            ..Default::default()
        }
        .to_html();
        assert!(html.contains("<td class=\"best\">0.9000"), "higher AUC");
        assert!(html.contains("<td class=\"best\">0.1000"), "lower EER");
        assert_eq!(html.matches("class=\"best\"").count(), 2);
    }

    #[test]
    fn only_settings_that_differ_are_listed() {
        let runs = vec![run("a", 0.8, 1.0), run("b", 0.9, 2.0)];
        let html = CompareReport {
            runs,
            ..Default::default()
        }
        .to_html();
        assert!(html.contains("loss.margin"));
        assert!(!html.contains(">seed<"));
    }

    #[test]
    fn runs_judged_on_different_images_have_no_winner_and_say_what_differs() {
        let judged = |name, auc, images: usize| ComparedRun {
            judged: serde_json::json!({ "data": "birds", "images": images }),
            ..run(name, auc, 1.0)
        };
        let runs = vec![judged("a", 0.8, 1000), judged("b", 0.9, 10_000)];
        let report = CompareReport {
            runs,
            ..Default::default()
        };
        assert!(!report.judged_alike());
        let html = report.to_html();
        assert!(!html.contains("class=\"best\"") && html.contains("none is the best"));
        assert!(html.contains("judged: images") && !html.contains("judged: data"));
    }

    #[test]
    fn names_are_escaped_and_an_empty_comparison_is_a_page() {
        let runs = vec![run("<script>", 0.8, 1.0)];
        let html = CompareReport {
            runs,
            ..Default::default()
        }
        .to_html();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(CompareReport::default().to_html().ends_with("</html>\n"));
    }
}
