//! Calibration against scikit-learn, naive fits and known limits.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use proptest::prelude::*;
use serde::Deserialize;
use siamese_metrics::calibration::{Calibration, brier, expected_calibration_error, reliability};
use siamese_metrics::verification::Mix;

#[derive(Deserialize)]
struct Golden {
    calibration: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    distances: Vec<f32>,
    like: Vec<bool>,
    at: Vec<f32>,
    isotonic: Vec<f64>,
    isotonic_brier: f64,
}

#[test]
fn the_isotonic_curve_is_scikit_learns() {
    let golden: Golden = serde_json::from_str(include_str!("golden/golden.json")).unwrap();
    for case in golden.calibration {
        let fitted = Calibration::isotonic(&case.distances, &case.like).unwrap();
        for (at, theirs) in case.at.iter().zip(&case.isotonic) {
            let ours = fitted.probability(*at);
            assert!(
                (ours - theirs).abs() < 1e-6,
                "at {at}: ours {ours}, theirs {theirs}"
            );
        }
        let score = brier(
            &fitted.probabilities(&case.distances),
            &case.like,
            Mix::AsGiven,
        )
        .unwrap();
        assert!((score - case.isotonic_brier).abs() < 1e-6);
    }
}

fn pairs() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
    prop::collection::vec((0u8..20, any::<bool>()), 2..80).prop_map(|mut pairs| {
        pairs[0].1 = true;
        pairs[1].1 = false;
        pairs
            .into_iter()
            .map(|(d, like)| (f32::from(d) / 4.0, like))
            .unzip()
    })
}

proptest! {
    #[test]
    fn the_isotonic_curve_never_rises_and_keeps_the_mean((distances, like) in pairs()) {
        let fitted = Calibration::isotonic(&distances, &like).unwrap();
        let curve: Vec<f64> = (0..50).map(|i| fitted.probability(i as f32 / 8.0 - 0.5)).collect();
        prop_assert!(curve.windows(2).all(|p| p[0] >= p[1] - 1e-12));
        let mean = fitted.probabilities(&distances).iter().sum::<f64>() / like.len() as f64;
        let likes = like.iter().filter(|l| **l).count() as f64 / like.len() as f64;
        prop_assert!((mean - likes).abs() < 1e-9);
    }

    #[test]
    fn no_nearby_logistic_curve_fits_better((distances, like) in pairs(), scale in 1e-3f32..1e3) {
        let distances: Vec<f32> = distances.iter().map(|d| d * scale).collect();
        let fitted = Calibration::logistic(&distances, &like, Mix::AsGiven).unwrap();
        let Calibration::Logistic { slope, intercept } = fitted else { unreachable!() };
        let (likes, n) = (like.iter().filter(|l| **l).count() as f64, like.len() as f64);
        let loss = |slope: f64, intercept: f64| -> f64 {
            distances.iter().zip(&like).map(|(d, l)| {
                let p = 1.0 / (1.0 + (slope * f64::from(*d) + intercept).exp());
                let t = if *l { (likes + 1.0) / (likes + 2.0) } else { 1.0 / (n - likes + 2.0) };
                -t * p.ln() - (1.0 - t) * (1.0 - p).ln()
            }).sum()
        };
        let best = loss(slope, intercept);
        prop_assert!(best.is_finite());
        for (a, b) in [(1.01, 0.0), (0.99, 0.0), (1.0, 0.01), (1.0, -0.01), (1.01, -0.01)] {
            prop_assert!(loss(slope * a, intercept + b) >= best - 1e-9);
        }
    }
}

#[test]
fn separated_pairs_give_a_finite_steep_curve() {
    let fitted = Calibration::logistic(
        &[0.1, 0.2, 0.8, 0.9],
        &[true, true, false, false],
        Mix::AsGiven,
    )
    .unwrap();
    let Calibration::Logistic { slope, intercept } = fitted else {
        unreachable!()
    };
    assert!(slope.is_finite() && slope > 0.0 && intercept.is_finite());
    assert!(
        (fitted.probability(0.5) - 0.5).abs() < 1e-6,
        "symmetric pairs are even at the middle"
    );
}

#[test]
fn a_collapsed_embedding_is_given_the_share_of_like_pairs() {
    let (distances, like) = ([0.3; 4], [true, false, false, false]);
    let isotonic = Calibration::isotonic(&distances, &like).unwrap();
    assert_eq!(isotonic.probability(0.3), 0.25);
    assert_eq!(isotonic.probability(9.0), 0.25);
    let logistic = Calibration::logistic(&distances, &like, Mix::AsGiven).unwrap();
    // Platt's targets: (1·⅔ + 3·⅕) / 4.
    assert!((logistic.probability(0.3) - (2.0 / 3.0 + 0.6) / 4.0).abs() < 1e-6);
}

#[test]
fn calibrations_survive_being_stored() {
    let (distances, like) = ([0.1, 0.4, 0.3, 0.9, 0.7], [true, true, false, false, false]);
    for fitted in [
        Calibration::logistic(&distances, &like, Mix::AsGiven).unwrap(),
        Calibration::isotonic(&distances, &like).unwrap(),
    ] {
        let stored = serde_json::to_string(&fitted).unwrap();
        let read: Calibration = serde_json::from_str(&stored).unwrap();
        for at in [-1.0, 0.2, 0.35, 2.0] {
            assert!((read.probability(at) - fitted.probability(at)).abs() < 1e-12);
        }
    }
}

#[test]
fn the_calibration_error_is_the_weighted_gap_of_the_bins() {
    let probabilities = [0.1, 0.1, 0.9, 1.0, 0.5];
    let like = [false, true, true, true, false];
    let bins = reliability(&probabilities, &like, Mix::AsGiven, 2).unwrap();
    assert_eq!((bins[0].pairs, bins[1].pairs), (2, 3));
    assert_eq!(bins[0].like_share, 0.5);
    assert!((bins[1].mean_probability - 0.8).abs() < 1e-12);
    let expected = 0.4 * (0.5 - 0.1) + 0.6 * (0.8 - 2.0 / 3.0);
    assert!((expected_calibration_error(&bins) - expected).abs() < 1e-12);
    let squares = 0.01 + 0.81 + 0.01 + 0.0 + 0.25;
    assert!((brier(&probabilities, &like, Mix::AsGiven).unwrap() - squares / 5.0).abs() < 1e-12);
}

#[test]
fn bad_input_is_refused() {
    assert!(Calibration::logistic(&[0.1, 0.2], &[true, true], Mix::Even).is_err());
    assert!(Calibration::isotonic(&[0.1, f32::NAN], &[true, false]).is_err());
    assert!(reliability(&[0.5], &[true], Mix::Even, 0).is_err());
    assert_eq!(
        brier(&[0.5, 1.5], &[true, false], Mix::Even)
            .unwrap_err()
            .to_string(),
        "probabilities: [1] is 1.5, not between 0 and 1"
    );
    let fitted = Calibration::isotonic(&[0.1, 0.2], &[true, false]).unwrap();
    assert!(fitted.probability(f32::NAN).is_nan());
}

#[test]
fn even_odds_are_what_repeating_the_rarer_kind_gives() {
    // One like pair for three unlike ones, and the same with the like pair three times.
    let (distances, like) = ([0.2, 0.9, 0.5, 0.7], [true, false, false, false]);
    let repeated = (
        [0.2, 0.2, 0.2, 0.9, 0.5, 0.7],
        [true, true, true, false, false, false],
    );
    let even = |d: &[f32], l: &[bool], mix| {
        let probabilities = [0.8, 0.1, 0.4, 0.6];
        let of = |d: &f32| probabilities[distances.iter().position(|x| x == d).unwrap()];
        let probabilities: Vec<f64> = d.iter().map(of).collect();
        let bins = reliability(&probabilities, l, mix, 2).unwrap();
        let brier = brier(&probabilities, l, mix).unwrap();
        (bins[1].like_share, expected_calibration_error(&bins), brier)
    };
    let (weighed, counted) = (
        even(&distances, &like, Mix::Even),
        even(&repeated.0, &repeated.1, Mix::AsGiven),
    );
    assert!((weighed.0 - 0.75).abs() < 1e-12 && (counted.0 - 0.75).abs() < 1e-12);
    assert!((weighed.1 - counted.1).abs() < 1e-12);
    assert!((weighed.2 - counted.2).abs() < 1e-12);
    // A collapsed embedding knows nothing: Platt's targets ⅔ and ⅕ at even odds.
    let fitted = Calibration::logistic(&[0.3; 4], &like, Mix::Even).unwrap();
    assert!((fitted.probability(0.3) - (2.0 / 3.0 + 0.2) / 2.0).abs() < 1e-6);
}
