//! What to know of figures, in words: what they are of, what is left out and why, what seems wrong.

use anyhow::Result;
use rayon::prelude::*;
use siamese_core::Model;
use siamese_core::metrics::verification::{REPORTED_FARS, unlike_pairs_for};
use siamese_core::metrics::{Figure, find};
use siamese_words::{are, counted};

use siamese_data::ImageSet;

use crate::baseline::RAW_PIXELS;
use crate::pairs::JudgedPairs;

/// Images that are looked at, at most.
const LOOKED_AT: usize = 2000;
/// Strange images are worth a word from this share on.
const STRANGE: f64 = 0.1;

/// What the pairs are too few for, and which rates are of more of them.
pub(crate) fn rate_notes(figures: &[Figure], drawn: &JudgedPairs) -> Vec<String> {
    let all = drawn.all.as_ref();
    let mut notes: Vec<String> = all.and_then(|all| all.note(figures)).into_iter().collect();
    let unlike = all.map_or(drawn.curve.unlike_pairs(), |all| all.rates.unlike_pairs());
    notes.extend(left_out(figures, unlike));
    notes
}

/// Says which rates are left out, and how many unlike pairs would carry them.
pub(crate) fn left_out(figures: &[Figure], unlike: usize) -> Option<String> {
    let missing = REPORTED_FARS
        .iter()
        .filter(|(far, name)| find(figures, name).is_none() && unlike < unlike_pairs_for(*far));
    let (names, needed): (Vec<&str>, Vec<String>) = missing
        .map(|(far, name)| (*name, unlike_pairs_for(*far).to_string()))
        .unzip();
    (!names.is_empty()).then(|| {
        format!(
            "left out: {}, for there {} {} and such a rate takes ten errors' worth: {}",
            names.join(", "),
            are(unlike),
            counted(unlike, "unlike pair"),
            needed.join(", ")
        )
    })
}

/// Says that the kinds of pairs are not as many, and what that means.
pub(crate) fn uneven(drawn: &JudgedPairs) -> Option<String> {
    let (like, unlike) = (drawn.curve.like_pairs(), drawn.curve.unlike_pairs());
    (like.abs_diff(unlike) > 1).then(|| {
        "like and unlike pairs weigh alike in accuracy, precision and F1, one each in average precision".into()
    })
}

/// How many of the images are unlike what the model was trained on, where those are many more than usual.
pub(crate) fn strange_note(model: &Model, images: &ImageSet) -> Result<Option<String>> {
    let Some(domain) = &model.domain else {
        return Ok(None);
    };
    let shape = (images.height, images.width, images.channels);
    let step = images.len().div_ceil(LOOKED_AT).max(1);
    let looked_at: Vec<usize> = (0..images.len()).step_by(step).collect();
    let judge = |&i: &usize| Ok(domain.judge(&images.image(i)?, shape).is_some());
    let strange = looked_at
        .par_iter()
        .map(judge)
        .collect::<Result<Vec<bool>>>()?;
    let share =
        strange.iter().filter(|strange| **strange).count() as f64 / looked_at.len().max(1) as f64;
    Ok((share > STRANGE).then(|| {
        format!(
            "{:.0} % of the images are unlike what the model was trained on ({}): its threshold and probabilities are not \
             for them",
            100.0 * share,
            model.provenance.data
        )
    }))
}

/// Whether unlike pairs are closer than like ones, more surely than by chance.
pub fn seem_swapped(figures: &[Figure]) -> bool {
    let interval = find(figures, "roc_auc").and_then(|auc| auc.interval);
    interval.is_some_and(|interval| interval.high < 0.5)
}

/// The page's first line, where the one that it makes itself would be wrong: such pairs are not at chance, or the model
/// is worth nothing.
pub(crate) fn verdict(figures: &[Figure]) -> String {
    if seem_swapped(figures) {
        return "Like and unlike seem swapped: unlike pairs are closer than like ones.".into();
    }
    match worse_than_pixels(figures) {
        Some(_) => "Raw pixels tell like from unlike pairs better than this model does.".into(),
        None => String::new(),
    }
}

/// The ROC AUC of the model and of raw pixels, where the latter is the greater.
fn worse_than_pixels(figures: &[Figure]) -> Option<(f64, f64)> {
    let value = |name| find(figures, name).map(|figure| figure.value);
    let (model, pixels) = (value("roc_auc")?, value(RAW_PIXELS)?);
    (pixels > model).then_some((model, pixels))
}

/// Says that raw pixels do better than the model.
pub(crate) fn pixels_note(figures: &[Figure]) -> Option<String> {
    worse_than_pixels(figures).map(|(model, pixels)| {
        format!(
            "raw pixels tell these pairs apart better than the model does (ROC AUC {pixels:.4} against {model:.4}): \
             it has learned too little, or something else"
        )
    })
}

/// Says that like and unlike seem swapped, and `remedy`, what to do about it.
pub fn swapped_note(figures: &[Figure], remedy: &str) -> Option<String> {
    let auc = find(figures, "roc_auc").filter(|_| seem_swapped(figures))?;
    let high = auc.interval?.high;
    Some(format!(
        "like and unlike seem swapped: unlike pairs are closer than like ones (ROC AUC {:.4}, at most {high:.4}), \
         which is not chance; {remedy}",
        auc.value
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_surely_below_one_half_is_no_chance() {
        let auc = |low, high| [Figure::new("roc_auc", 0.354).with_interval(low, high)];
        assert!(swapped_note(&auc(0.3, 0.4), "").is_some_and(|note| note.contains("0.3540")));
        assert_eq!(swapped_note(&auc(0.3, 0.6), ""), None);
        assert!(
            !seem_swapped(&[Figure::new("roc_auc", 0.1)]),
            "no interval, no claim"
        );
    }

    #[test]
    fn a_model_worse_than_raw_pixels_is_told_so() {
        let figures = |model, pixels| {
            [
                Figure::new("roc_auc", model),
                Figure::new(RAW_PIXELS, pixels),
            ]
        };
        assert!(pixels_note(&figures(0.86, 0.93)).is_some_and(|note| note.contains("0.9300")));
        assert!(verdict(&figures(0.86, 0.93)).starts_with("Raw pixels"));
        assert_eq!(verdict(&figures(0.93, 0.86)), "");
        assert_eq!(pixels_note(&figures(0.93, 0.86)), None);
    }

    #[test]
    fn a_rate_that_is_missing_is_named_with_what_it_takes() {
        let figures = [
            Figure::new("tar_at_far_1e-1", 1.0),
            Figure::new("tar_at_far_1e-2", 0.9),
        ];
        let note = left_out(&figures, 2000).unwrap_or_default();
        assert!(note.contains("tar_at_far_1e-3, tar_at_far_1e-4"), "{note}");
        assert!(
            note.contains("2000 unlike") && note.ends_with("10000, 100000"),
            "{note}"
        );
        assert_eq!(left_out(&figures[..1], 100_000).as_deref(), None);
    }
}
