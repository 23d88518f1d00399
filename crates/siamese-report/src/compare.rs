//! Several runs side by side: figures, curves, what differs.

mod keys;

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use siamese_metrics::verification::RocPoint;
use siamese_metrics::{Figure, find};

use self::keys::{head_of, letter, on_ray, swatch};
use crate::chart::{Canvas, Series, Tone, line};
use crate::data::{Banner, EpochRow, Level, RunReport, described, leading};
use crate::error::{Result, write};
use crate::page::{
    Curve, Head, LESS, Mark, Section, Stand, compared_cells, comparison_table, figure, flatten,
    name_of, page, percent_axis, scroll,
};
use crate::text::breakable;

/// Figures that the page begins with.
const LEADING: usize = 3;

/// One run of a comparison. A [`RunReport`] turns into one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ComparedRun {
    /// Name of the run.
    pub name: String,
    /// Name of the data that its figures were measured on. Figures of different data have no winner.
    pub judged_on: String,
    /// More of that data: how many images of which classes. It counts as the name does.
    pub data: String,
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
            judged_on: report.judged_on.clone(),
            data: report.data.clone(),
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

impl ComparedRun {
    /// The data that it was judged on, and how much of it.
    fn judged_on(&self) -> String {
        let mut parts = vec![self.judged_on.as_str(), self.data.as_str()];
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
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
            "" => self.own_title(),
            title => title.to_string(),
        };
        let mut banners = self.banners.clone();
        if self.mark() == Mark::Nothing {
            banners.push(not_the_same_data());
        }
        let head = Head {
            kicker: "Siamese network · comparison",
            title: &title,
            banners: &banners,
            ..Head::default()
        };
        let sections = [
            self.lead(),
            self.figures(),
            self.curves(),
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

    fn own_title(&self) -> String {
        let number = self.runs.len();
        match self.runs.first().map_or("", |run| run.judged_on.as_str()) {
            data if !data.is_empty() && self.mark() == Mark::Best => {
                format!("{number} runs judged on {data}")
            }
            _ => format!("{number} runs side by side"),
        }
    }

    /// Figures have a winner only where all are of the same data.
    fn mark(&self) -> Mark {
        match self.judged_alike() {
            true => Mark::Best,
            false => Mark::Nothing,
        }
    }

    /// Whether the figures of all runs are of the same images and pairs.
    pub fn judged_alike(&self) -> bool {
        let of = |run: &ComparedRun| (run.judged_on(), run.judged.clone());
        let mut neighbours = self.runs.windows(2);
        neighbours.all(|two| of(&two[0]) == of(&two[1]))
    }

    /// The figures that matter, a row per run, and the chart that shows most.
    fn lead(&self) -> Option<Section> {
        if self.runs.is_empty() {
            return None;
        }
        let key = if self.runs.len() > 1 {
            self.key()
        } else {
            String::new()
        };
        let chart = self.roc().or_else(|| self.curve(&Curve::AUC));
        let chart = chart.map_or_else(String::new, |chart| key + &chart);
        Some(Section {
            id: "result".into(),
            title: "Result".into(),
            teaser: String::new(),
            stand: Stand::Lead,
            body: self.leading_table() + &chart,
        })
    }

    fn leading_table(&self) -> String {
        let Some(most) = self.runs.iter().max_by_key(|run| run.figures.len()) else {
            return String::new();
        };
        let figures = leading(&most.figures, LEADING);
        let column = |figure: &&Figure| {
            let own = self.runs.iter().map(|run| find(&run.figures, &figure.name));
            let own: Vec<Option<&Figure>> = own.collect();
            compared_cells(&own, described(&figure.name).1, self.mark())
        };
        let columns: Vec<Vec<String>> = figures.iter().map(column).collect();
        let mut html = String::from("<table class=\"runs\"><thead><tr><th scope=\"col\">Run</th>");
        for figure in &figures {
            let _ = write!(html, "<th scope=\"col\">{}</th>", name_of(figure));
        }
        html.push_str("</tr></thead><tbody>\n");
        for (at, run) in self.runs.iter().enumerate() {
            let cells: String = columns.iter().map(|column| column[at].as_str()).collect();
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th>{cells}</tr>",
                head_of(at, run)
            );
        }
        html.push_str("</tbody></table>");
        let note = match self.mark() {
            Mark::Best => {
                "The best of each column is bold; where intervals overlap much, the difference may be chance."
            }
            Mark::Nothing => "",
        };
        format!(
            "{}{LESS}<p class=\"lead small\">{note}</p>\n",
            scroll(&html)
        )
    }

    fn figures(&self) -> Option<Section> {
        let column = |(at, run)| (head_of(at, run), &run.figures[..]);
        let columns: Vec<(String, &[Figure])> = self.runs.iter().enumerate().map(column).collect();
        let measured = columns.iter().any(|(_, figures)| !figures.is_empty());
        measured.then(|| Section {
            id: "figures".into(),
            title: "All figures".into(),
            teaser: "with their 95% intervals".into(),
            stand: Stand::Folded,
            body: comparison_table(&columns, self.mark()),
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
        let charts: String = CURVES
            .iter()
            .filter_map(|curve| self.curve(curve))
            .collect();
        (!charts.is_empty()).then(|| Section {
            id: "curves".into(),
            title: "Training".into(),
            teaser: "losses, figures and speed by epoch".into(),
            stand: Stand::Folded,
            body: format!("{}<div class=\"sheet\">\n{charts}</div>\n", self.key()),
        })
    }

    /// A chart with a line per run; none where no run was measured so.
    fn curve(&self, curve: &Curve) -> Option<String> {
        let runs = self.runs.iter().enumerate();
        let series = runs
            .map(|(at, run)| Series::new(&letter(at), Tone::Colour(at), curve.points(&run.epochs)));
        let series: Vec<Series> = series.filter(|series| !series.points.is_empty()).collect();
        (!series.is_empty()).then(|| figure("", curve.title, "", &curve.chart(&series, &[])))
    }

    fn roc(&self) -> Option<String> {
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
        .sized(440.0, 340.0);
        let svg = line(&canvas, &series, &[]);
        Some(figure("first", "ROC", "dashed: chance", &svg))
    }

    fn differences(&self) -> Option<Section> {
        let settings = |run: &ComparedRun| {
            let judged = ("judged on".to_string(), run.judged_on());
            let judged = [judged].into_iter().filter(|(_, data)| !data.is_empty());
            let images = flatten(&run.judged).into_iter();
            let images = images.map(|(name, value)| (format!("judged: {name}"), value));
            judged.chain(images).chain(flatten(&run.config)).collect()
        };
        let configs: Vec<Vec<(String, String)>> = self.runs.iter().map(settings).collect();
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
                let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", breakable(name));
                for value in values {
                    let _ = write!(
                        rows,
                        "<td>{}</td>",
                        breakable(value.as_deref().unwrap_or("–"))
                    );
                }
                rows.push_str("</tr>\n");
            }
        }
        let body = if rows.is_empty() {
            "<p>The configurations are the same.</p>\n".to_string()
        } else {
            let heads = self
                .runs
                .iter()
                .enumerate()
                .map(|(at, run)| head_of(at, run));
            let heads: String = heads
                .map(|head| format!("<th scope=\"col\">{head}</th>"))
                .collect();
            scroll(&format!(
                "<table class=\"settings-of\"><thead><tr><th scope=\"col\">Setting</th>{heads}</tr></thead><tbody>\n\
                 {rows}</tbody></table>"
            ))
        };
        Some(Section {
            id: "differences".into(),
            title: "What differs".into(),
            teaser: "in data and settings".into(),
            stand: Stand::Folded,
            body,
        })
    }

    /// Which letter and colour is which run.
    fn key(&self) -> String {
        let name = |(at, run): (usize, &ComparedRun)| {
            format!(
                "<span class=\"run\">{} {}</span> ",
                swatch(at),
                breakable(&run.name)
            )
        };
        let names: String = self.runs.iter().enumerate().map(name).collect();
        format!("<p class=\"key\">{names}</p>\n")
    }
}

fn not_the_same_data() -> Banner {
    Banner {
        level: Level::Warning,
        title: "Not judged on the same images".into(),
        text: "Figures of different images do not say which run is better: none is set in bold. What each was judged \
               on is under “What differs”. Judge the runs on one set with siamese evaluate to compare them."
            .into(),
    }
}

#[cfg(test)]
mod tests;
