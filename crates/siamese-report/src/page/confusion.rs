//! Classes taken for one another: a map of them, and the most frequent ones by name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::shell::{Section, Stand, figure, scroll};
use crate::chart::{HeatCell, HeatGroup, HeatMap, heat_map};
use crate::data::{CalledAs, ConfusionMap, RunReport};
use crate::text::{breakable, count, plain};

const LISTED: usize = 12;
/// Classes that a map names.
const NAMED: usize = 60;
/// Classes that a map draws without their names, inside the named superclasses.
const DRAWN: usize = 200;
/// Of more classes, those that are drawn.
const WORST: usize = 40;

pub(super) fn confusion(report: &RunReport) -> Option<Section> {
    let confusion = report.confusion.as_ref()?;
    let counts = counted(confusion);
    let mut wrong: Vec<&CalledAs> = counts.iter().filter(|of| of.class != of.called).collect();
    wrong.sort_by_key(|of| (Reverse(of.images), of.class, of.called));
    let map = match drawn(confusion, &counts, &wrong) {
        Some((map, note)) => figure("heat", "Confusion map", &note, &scroll(&heat_map(&map))),
        None => String::new(),
    };
    let list = most_confused(confusion, &counts, &wrong);
    let teaser = wrong.first().map_or_else(String::new, |most| {
        let name = |class: usize| &confusion.classes[class];
        format!(
            "most often {} called {}",
            name(most.class),
            name(most.called)
        )
    });
    Some(Section {
        id: "confusion".into(),
        title: "Classes taken for one another".into(),
        teaser,
        stand: Stand::Folded,
        body: format!("<div class=\"split\">{map}{list}</div>\n"),
    })
}

/// The counts that name two classes, in order.
fn counted(confusion: &ConfusionMap) -> Vec<CalledAs> {
    let known = |of: &&CalledAs| of.class.max(of.called) < confusion.classes.len();
    let mut sum: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for of in confusion.counts.iter().filter(known) {
        *sum.entry((of.class, of.called)).or_default() += of.images;
    }
    let counts = sum.into_iter().filter(|(_, images)| *images > 0);
    let counts = counts.map(|((class, called), images)| CalledAs {
        class,
        called,
        images,
    });
    counts.collect()
}

/// A map that stays small and legible for any number of classes, and what it shows.
fn drawn(
    confusion: &ConfusionMap,
    counts: &[CalledAs],
    wrong: &[&CalledAs],
) -> Option<(HeatMap, String)> {
    let (size, groups) = (confusion.classes.len(), superclasses(confusion));
    let (map, what) = if size <= NAMED || (size <= DRAWN && groups.len() > 1) {
        (
            of_classes(confusion, counts, by_superclass(confusion)),
            String::new(),
        )
    } else if (2..=NAMED).contains(&groups.len()) {
        let what = format!(
            "{} superclasses of {} classes; ",
            groups.len(),
            count(size as u64)
        );
        (of_superclasses(confusion, counts, &groups), what)
    } else if wrong.is_empty() {
        return None;
    } else {
        let worst = worst(wrong);
        let what = format!(
            "the {} classes most often confused, of {}; ",
            worst.len(),
            count(size as u64)
        );
        (of_classes(confusion, counts, worst), what)
    };
    let method = match confusion.method.as_str() {
        "" => String::new(),
        method => format!("by {method}; "),
    };
    Some((
        map,
        format!("{what}{method}stronger: larger share of the true class"),
    ))
}

fn group(confusion: &ConfusionMap, class: usize) -> &str {
    confusion.groups.get(class).map_or("", String::as_str)
}

fn superclasses(confusion: &ConfusionMap) -> Vec<&str> {
    let names: BTreeSet<&str> = confusion.groups.iter().map(String::as_str).collect();
    names.into_iter().collect()
}

/// All classes, superclass by superclass.
fn by_superclass(confusion: &ConfusionMap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..confusion.classes.len()).collect();
    order.sort_by_key(|&class| (group(confusion, class), class));
    order
}

/// The classes of the most frequent confusions, those that are confused beside one another.
fn worst(wrong: &[&CalledAs]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for of in wrong {
        let place = |class: usize, order: &[usize]| order.iter().position(|&own| own == class);
        match (place(of.class, &order), place(of.called, &order)) {
            (None, None) if order.len() + 2 <= WORST => order.extend([of.class, of.called]),
            (Some(at), None) if order.len() < WORST => order.insert(at + 1, of.called),
            (None, Some(at)) if order.len() < WORST => order.insert(at, of.class),
            _ => {}
        }
        if order.len() == WORST {
            break;
        }
    }
    order
}

/// A map of these classes, in this order.
fn of_classes(confusion: &ConfusionMap, counts: &[CalledAs], order: Vec<usize>) -> HeatMap {
    let mut place = vec![None; confusion.classes.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(at, &class)| place[class] = Some(at));
    let names = order.iter().map(|&class| confusion.classes[class].clone());
    let whole = order.len() == confusion.classes.len();
    HeatMap {
        title: "Confusion of classes".into(),
        names: names.collect(),
        groups: if whole {
            groups_of(confusion, &order)
        } else {
            Vec::new()
        },
        cells: cells(counts, &place),
        ..labelled()
    }
}

/// A map of the superclasses.
fn of_superclasses(confusion: &ConfusionMap, counts: &[CalledAs], groups: &[&str]) -> HeatMap {
    let number = |class: usize| groups.binary_search(&group(confusion, class)).ok();
    let place: Vec<Option<usize>> = (0..confusion.classes.len()).map(number).collect();
    HeatMap {
        title: "Confusion of superclasses".into(),
        names: groups.iter().map(|name| name.to_string()).collect(),
        cells: cells(counts, &place),
        ..labelled()
    }
}

fn labelled() -> HeatMap {
    HeatMap {
        row_label: "true class".into(),
        column_label: "called".into(),
        ..HeatMap::default()
    }
}

/// Counts by row and column, each as a share of all images of its row; `place` says the row of a class.
fn cells(counts: &[CalledAs], place: &[Option<usize>]) -> Vec<HeatCell> {
    let (mut totals, mut sums) = (BTreeMap::new(), BTreeMap::new());
    for of in counts {
        let Some(row) = place[of.class] else { continue };
        *totals.entry(row).or_insert(0u64) += of.images;
        if let Some(column) = place[of.called] {
            *sums.entry((row, column)).or_insert(0u64) += of.images;
        }
    }
    let cell = |((row, column), count): ((usize, usize), u64)| HeatCell {
        row,
        column,
        count,
        share: count as f64 / totals.get(&row).copied().unwrap_or(1).max(1) as f64,
    };
    sums.into_iter().map(cell).collect()
}

fn groups_of(confusion: &ConfusionMap, order: &[usize]) -> Vec<HeatGroup> {
    let mut groups: Vec<HeatGroup> = Vec::new();
    if confusion.groups.is_empty() {
        return groups;
    }
    for &class in order {
        let name = group(confusion, class);
        match groups.last_mut() {
            Some(last) if last.name == name => last.size += 1,
            _ => groups.push(HeatGroup {
                name: name.into(),
                size: 1,
            }),
        }
    }
    groups
}

fn most_confused(confusion: &ConfusionMap, counts: &[CalledAs], wrong: &[&CalledAs]) -> String {
    let (mut totals, mut right) = (vec![0u64; confusion.classes.len()], 0);
    for of in counts {
        totals[of.class] += of.images;
        right += if of.class == of.called { of.images } else { 0 };
    }
    let all = count(totals.iter().sum());
    let mut html = format!(
        "<div class=\"beside\"><p><b>{} of {all} images</b> got their own class.</p>\n",
        count(right)
    );
    if !wrong.is_empty() {
        let mut table = String::from(
            "<table class=\"small\"><thead><tr><th scope=\"col\">Most often confused</th><th scope=\"col\">called</th>\
             <th scope=\"col\" class=\"n\">times</th></tr></thead><tbody>\n",
        );
        for of in wrong.iter().take(LISTED) {
            let share = of.images as f64 / totals[of.class].max(1) as f64 * 100.0;
            let _ = writeln!(
                table,
                "<tr><td class=\"name\">{}</td><td class=\"name\">{}</td><td class=\"n\">{} <span class=\"interval\">{}%</span></td></tr>",
                breakable(&confusion.classes[of.class]),
                breakable(&confusion.classes[of.called]),
                count(of.images),
                plain(share, 0)
            );
        }
        table.push_str("</tbody></table>");
        html.push_str(&scroll(&table));
    }
    html + "</div>\n"
}
