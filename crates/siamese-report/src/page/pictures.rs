//! Pictures: pairs right and wrong, probes with their nearest images.

use std::fmt::Write as _;

use siamese_words::counted;

use super::shell::{Section, Stand};
use crate::data::{ExamplePair, Neighbours, RunReport, Thumbnail};
use crate::text::{breakable, escape, plain, significant};

/// Up to here a picture's pixels are shown as such.
const PIXELATED: u32 = 64;

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
        let of = |pair: &&ExamplePair| pair.like == like && pair.called_same == called_same;
        let own: String = report.examples.iter().filter(of).map(pair_html).collect();
        if !own.is_empty() {
            let sign = if verdict == "right" { "✓" } else { "✗" };
            let _ = writeln!(
                body,
                "<h3><span class=\"{verdict}\">{sign} {verdict}</span> · {title}</h3>\n<div class=\"pairs\">\n{own}</div>"
            );
        }
    }
    let wrong = report.examples.iter().filter(|pair| !pair.is_right());
    let (wrong, all) = (wrong.count(), report.examples.len());
    Some(Section {
        id: "examples".into(),
        title: "Pairs, right and wrong".into(),
        teaser: format!("{wrong} wrong and {} right ones to look at", all - wrong),
        stand: Stand::Folded,
        body,
    })
}

fn pair_html(pair: &ExamplePair) -> String {
    let classes = match (breakable(&pair.left_label), breakable(&pair.right_label)) {
        (left, right) if left == right => left,
        (left, right) => format!("{left} / {right}"),
    };
    let probability = pair.probability.map_or_else(String::new, |probability| {
        format!(" · {}% same", plain(probability * 100.0, 0))
    });
    let files =
        file(&pair.left_file, &pair.left_label) + &file(&pair.right_file, &pair.right_label);
    format!(
        "<figure class=\"pair\"><div class=\"images\">{}{}</div><figcaption><span class=\"what\">\
         {classes}</span><span class=\"how\">{}{probability}</span>{files}</figcaption></figure>\n",
        picture(&pair.left, &pair.left_label),
        picture(&pair.right, &pair.right_label),
        significant(pair.distance, 3)
    )
}

/// The name of a picture's file, without the folder that is its class; nothing where there is no file.
fn file(name: &str, class: &str) -> String {
    let within = name
        .strip_prefix(class)
        .and_then(|rest| rest.strip_prefix('/'));
    match within.unwrap_or(name) {
        "" => String::new(),
        short => format!(
            "<span class=\"file\" title=\"{}\">{}</span>",
            escape(name),
            breakable(short)
        ),
    }
}

pub(super) fn neighbours(report: &RunReport) -> Option<Section> {
    if report.neighbours.is_empty() {
        return None;
    }
    let nearest = report.neighbours.iter().flat_map(|row| &row.nearest);
    let (right, all) = nearest.fold((0, 0), |(right, all), n| {
        (right + usize::from(n.right), all + 1)
    });
    let rows: String = report.neighbours.iter().map(probe_html).collect();
    let body = format!(
        "<p class=\"lead\">First the probe, then the images nearest to it. \
         <span class=\"right\">Solid frame</span>: same class; <span class=\"wrong\">broken \
         frame</span>: another. Of those shown, {right} of {all} are right.</p>\n\
         <div class=\"probes\">\n{rows}</div>\n"
    );
    Some(Section {
        id: "neighbours".into(),
        title: "Nearest neighbours".into(),
        teaser: format!("of {}", counted(report.neighbours.len(), "image")),
        stand: Stand::Folded,
        body,
    })
}

fn probe_html(row: &Neighbours) -> String {
    let mut html = format!(
        "<div class=\"probe\"><figure class=\"card\">{}<figcaption><b class=\"what\">{}</b>{}\
         </figcaption></figure><div class=\"row\">",
        picture(&row.probe, &row.label),
        breakable(&row.label),
        file(&row.file, &row.label)
    );
    for neighbour in &row.nearest {
        // A right neighbour's class is the probe's, which is already written.
        let (class, verdict, sign, label) = match neighbour.right {
            true => ("card", "right", "✓", String::new()),
            false => {
                let label = breakable(&neighbour.label);
                let label = format!("<span class=\"what\">{label}</span>");
                ("card off", "wrong", "✗", label)
            }
        };
        let _ = write!(
            html,
            "<figure class=\"{class}\">{}<figcaption><span class=\"how\"><span \
             class=\"{verdict}\">{sign}</span> {}</span>{label}{}</figcaption></figure>",
            picture(&neighbour.image, &neighbour.label),
            significant(neighbour.distance, 3),
            file(&neighbour.file, &neighbour.label)
        );
    }
    html.push_str("</div></div>\n");
    html
}

/// A thumbnail as an image, or a box with a question mark when its pixels do not fit.
pub(crate) fn picture(thumbnail: &Thumbnail, label: &str) -> String {
    let label = escape(label);
    let class = match thumbnail.width.max(thumbnail.height) {
        side if side <= PIXELATED => "picture pixels",
        _ => "picture",
    };
    match thumbnail.to_data_uri() {
        Some(address) => {
            format!("<img class=\"{class}\" src=\"{address}\" alt=\"{label}\" title=\"{label}\">")
        }
        None => {
            format!("<div class=\"picture missing\" role=\"img\" aria-label=\"{label}\">?</div>")
        }
    }
}
