//! Pages of HTML: the shell that all share, and the sections of a run's report.

mod classes;
mod curves;
mod figures;
mod pictures;
mod settings;
mod shell;
mod verification;

pub(crate) use curves::Curve;
pub(crate) use figures::comparison_table;
pub(crate) use pictures::{breakable, picture};
pub(crate) use settings::flatten;
pub(crate) use shell::{Head, Section, figure, page};
pub(crate) use verification::percent_axis;

use crate::data::RunReport;
/// The report of one run.
pub(crate) fn run_page(report: &RunReport) -> String {
    let sections: Vec<Section> = [
        figures::result(report),
        curves::curves(report),
        verification::pairs(report),
        pictures::examples(report),
        pictures::neighbours(report),
        classes::confusion(report),
        classes::maps(report),
        settings::reproduce(report),
        settings::settings(report),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = if report.verdict.is_empty() {
        figures::verdict(report)
    } else {
        report.verdict.clone()
    };
    let kicker = if report.epochs.is_empty() {
        "Siamese network · evaluation"
    } else {
        "Siamese network · run report"
    };
    page(
        &Head {
            kicker,
            title: &report.name,
            data: &report.data,
            verdict: &verdict,
            banners: &report.banners,
        },
        &sections,
    )
}
