//! Pictures: pairs right and wrong, probes with their nearest images.

use std::fmt::Write as _;

use super::shell::Section;
use crate::data::{ExamplePair, Neighbours, RunReport, Thumbnail};
use crate::text::{escape, plain, significant};

pub(super) fn examples(report: &RunReport) -> Option<Section> {
    if report.examples.is_empty() {
        return None;
    }
    let groups: [(&str, &str, bool, bool); 4] = [
        ("Unlike, called the same", "wrong", false, true),
        ("Like, called different", "wrong", true, false),
        ("Like, called the same", "right", true, true),
        ("Unlike, called different", "right", false, false),
    ];
    let mut body = String::from(
        "<p class=\"lead\">Below each pair its distance and, where the model is calibrated, the \
         probability that it is alike.</p>\n",
    );
    for (title, verdict, like, called_same) in groups {
        let own: Vec<&ExamplePair> = report
            .examples
            .iter()
            .filter(|pair| pair.like == like && pair.called_same == called_same)
            .collect();
        if own.is_empty() {
            continue;
        }
        let sign = if verdict == "right" { "✓" } else { "✗" };
        let _ = writeln!(
            body,
            "<h3><span class=\"{verdict}\">{sign} {verdict}</span> · {title}</h3>\n<div class=\"pairs\">"
        );
        own.into_iter()
            .for_each(|pair| body.push_str(&pair_html(pair)));
        body.push_str("</div>\n");
    }
    Some(Section {
        id: "examples",
        title: "Pairs, right and wrong",
        short: "Examples",
        body,
    })
}

fn pair_html(pair: &ExamplePair) -> String {
    let what = if pair.left_label == pair.right_label {
        breakable(&pair.left_label)
    } else {
        format!(
            "{} / {}",
            breakable(&pair.left_label),
            breakable(&pair.right_label)
        )
    };
    let probability = pair.probability.map_or_else(String::new, |probability| {
        format!(" · {}% same", plain(probability * 100.0, 0))
    });
    format!(
        "<figure class=\"pair\"><div class=\"images\">{}{}</div><figcaption><span class=\"what\">\
         {what}</span><span class=\"how\">{}{probability}</span></figcaption></figure>\n",
        picture(&pair.left, &pair.left_label),
        picture(&pair.right, &pair.right_label),
        significant(pair.distance, 3)
    )
}

pub(super) fn neighbours(report: &RunReport) -> Option<Section> {
    if report.neighbours.is_empty() {
        return None;
    }
    let nearest = report.neighbours.iter().flat_map(|row| &row.nearest);
    let (right, all) = nearest.fold((0, 0), |(right, all), n| {
        (right + usize::from(n.right), all + 1)
    });
    let mut body = format!(
        "<p class=\"lead\">First the probe, then the images nearest to it. \
         <span class=\"right\">Solid frame</span>: same class; <span class=\"wrong\">broken \
         frame</span>: another. Of those shown, {right} of {all} are right.</p>\n\
         <div class=\"sheet probes\">\n"
    );
    report
        .neighbours
        .iter()
        .for_each(|row| body.push_str(&probe_html(row)));
    body.push_str("</div>\n");
    Some(Section {
        id: "neighbours",
        title: "Nearest neighbours",
        short: "Neighbours",
        body,
    })
}

fn probe_html(row: &Neighbours) -> String {
    let mut html = format!(
        "<div class=\"probe\"><figure class=\"card\">{}<figcaption class=\"what\"><b>{}</b>\
         </figcaption></figure><div class=\"row\">",
        picture(&row.probe, &row.label),
        breakable(&row.label)
    );
    for neighbour in &row.nearest {
        // A right neighbour's class is the probe's, which is already written.
        let (class, verdict, sign, label) = match neighbour.right {
            true => ("card", "right", "✓", String::new()),
            false => ("card off", "wrong", "✗", breakable(&neighbour.label)),
        };
        let _ = write!(
            html,
            "<figure class=\"{class}\">{}<figcaption><span class=\"how\"><span \
             class=\"{verdict}\">{sign}</span> {}</span><span class=\"what\">{label}</span>\
             </figcaption></figure>",
            picture(&neighbour.image, &neighbour.label),
            significant(neighbour.distance, 3)
        );
    }
    html.push_str("</div></div>\n");
    html
}

/// Escaped text in which a line may break after an underscore or a slash.
pub(crate) fn breakable(label: &str) -> String {
    escape(label).replace('_', "_<wbr>").replace("/", "/<wbr>")
}

/// A thumbnail as an image, or a box with a question mark when its pixels do not fit.
pub(crate) fn picture(thumbnail: &Thumbnail, label: &str) -> String {
    let label = escape(label);
    match thumbnail.to_data_uri() {
        Some(address) => {
            format!("<img class=\"picture\" src=\"{address}\" alt=\"{label}\" title=\"{label}\">")
        }
        None => {
            format!("<div class=\"picture missing\" role=\"img\" aria-label=\"{label}\">?</div>")
        }
    }
}
