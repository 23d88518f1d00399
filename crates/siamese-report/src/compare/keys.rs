//! Which run is which: letters, colours, places for their names.

use siamese_metrics::verification::RocPoint;
use siamese_words::counted;

use super::ComparedRun;
use crate::chart::Tone;
use crate::text::breakable;

/// A run's name with its letter, as HTML.
pub(super) fn head_of(at: usize, run: &ComparedRun) -> String {
    let best = run.best_epoch.map_or_else(String::new, |best| {
        let epochs = counted(run.epochs.len(), "epoch");
        format!("<br><span class=\"interval\">{epochs}, best {best}</span>")
    });
    format!("{} {}{best}", swatch(at), breakable(&run.name))
}

/// Name of a run in the charts: A, B, … Z, then 27, 28, …
pub(super) fn letter(at: usize) -> String {
    match u8::try_from(at) {
        Ok(number) if number < 26 => char::from(b'A' + number).to_string(),
        _ => (at + 1).to_string(),
    }
}

pub(super) fn swatch(at: usize) -> String {
    format!(
        "<span class=\"swatch {}\">{}</span>",
        Tone::Colour(at).class(),
        letter(at)
    )
}

/// The point of a ROC curve nearest to a ray from its upper left corner. Every run has a ray of
/// its own, so that names do not meet however close the curves are.
pub(super) fn on_ray(roc: &[RocPoint], at: usize, runs: usize) -> usize {
    let angle = (at + 1) as f64 / (runs + 1) as f64 * std::f64::consts::FRAC_PI_2;
    let (right, down) = angle.sin_cos();
    let off = |point: &RocPoint| (point.far * down - (1.0 - point.tar) * right).abs();
    let nearest = roc
        .iter()
        .enumerate()
        .min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    nearest.map_or(0, |(index, _)| index)
}
