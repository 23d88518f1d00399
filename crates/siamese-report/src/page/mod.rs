//! Pages of HTML: the shell that all share, and the sections of a run's report.

mod confusion;
mod curves;
mod figures;
mod lead;
mod map;
mod pictures;
mod settings;
mod shell;
mod verification;

pub(crate) use curves::Curve;
pub(crate) use figures::{LESS, Mark, compared_cells, comparison_table, name_of};
pub(crate) use lead::{KeyFigure, key_figures};
pub(crate) use pictures::picture;
pub(crate) use settings::flatten;
pub(crate) use shell::{Head, Section, Stand, figure, page, scroll};
pub(crate) use verification::percent_axis;

use crate::data::RunReport;

/// The report of one run.
pub(crate) fn run_page(report: &RunReport) -> String {
    let sections: Vec<Section> = [
        lead::lead(report),
        figures::all(report),
        curves::curves(report),
        verification::pairs(report),
        pictures::examples(report),
        pictures::neighbours(report),
        confusion::confusion(report),
        map::maps(report),
        settings::reproduce(report),
        settings::settings(report),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = match report.verdict.as_str() {
        "" => lead::verdict(report),
        verdict => verdict.into(),
    };
    let kicker = match report.epochs.as_slice() {
        [] => "Siamese network · evaluation",
        _ => "Siamese network · run report",
    };
    page(
        &Head {
            kicker,
            title: &title(report),
            data: &report.data,
            verdict: &verdict,
            banners: &report.banners,
        },
        &sections,
    )
}

/// What was judged, and on what.
fn title(report: &RunReport) -> String {
    match (report.name.as_str(), report.judged_on.as_str()) {
        (name, "") => name.into(),
        ("", data) => format!("Unnamed run judged on {data}"),
        (name, data) => format!("{name} judged on {data}"),
    }
}
