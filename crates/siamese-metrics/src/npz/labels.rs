//! Labels as people save them: small integers, large or negative ones, text.

use std::collections::BTreeSet;

/// What an array of labels holds.
#[derive(Debug)]
pub(super) enum Labels {
    Numbers(Vec<i128>),
    Texts(Vec<String>),
}

/// The labels of a set, of its gallery where it has one, and the classes' names where labels had to be numbered.
pub(super) struct Numbered {
    pub(super) labels: Vec<u32>,
    pub(super) gallery: Option<Vec<u32>>,
    pub(super) classes: Vec<String>,
}

/// One numbering for both: labels that are small numbers stay as they are, others are numbered in ascending order.
pub(super) fn number(labels: Labels, gallery: Option<Labels>) -> Result<Numbered, String> {
    match (labels, gallery) {
        (Labels::Numbers(labels), None) => Ok(of_numbers(&labels, None)),
        (Labels::Numbers(labels), Some(Labels::Numbers(gallery))) => {
            Ok(of_numbers(&labels, Some(&gallery)))
        }
        (Labels::Texts(labels), None) => Ok(ordered(&labels, None)),
        (Labels::Texts(labels), Some(Labels::Texts(gallery))) => {
            Ok(ordered(&labels, Some(&gallery)))
        }
        _ => Err("`labels` and `gallery_labels` must both be numbers or both be text".to_owned()),
    }
}

fn of_numbers(labels: &[i128], gallery: Option<&[i128]>) -> Numbered {
    let small = |labels: &[i128]| -> Option<Vec<u32>> {
        labels
            .iter()
            .map(|&label| u32::try_from(label).ok())
            .collect()
    };
    match (small(labels), gallery.map(small)) {
        (Some(labels), None) => Numbered {
            labels,
            gallery: None,
            classes: Vec::new(),
        },
        (Some(labels), Some(Some(gallery))) => Numbered {
            labels,
            gallery: Some(gallery),
            classes: Vec::new(),
        },
        _ => ordered(labels, gallery),
    }
}

fn ordered<T: Ord + ToString>(labels: &[T], gallery: Option<&[T]>) -> Numbered {
    let all = labels.iter().chain(gallery.unwrap_or_default());
    let classes: Vec<&T> = all.collect::<BTreeSet<_>>().into_iter().collect();
    let place = |label: &T| classes.partition_point(|class| *class < label) as u32;
    Numbered {
        labels: labels.iter().map(place).collect(),
        gallery: gallery.map(|gallery| gallery.iter().map(place).collect()),
        classes: classes.iter().map(|class| class.to_string()).collect(),
    }
}
