//! Verification figures against naive loops, on random distances with ties, and at the edges.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

use proptest::prelude::*;
use siamese_metrics::verification::{
    Mix, RocCurve, Target, Verification, VerificationConfig, fit_threshold, needs_threshold,
    precision_called_same, roc_auc, verification_figures, verification_figures_by_image,
};
use siamese_metrics::{BootstrapConfig, Error, find};

/// Distances on a coarse grid, so that ties abound, with at least one pair of each kind.
fn pairs_with_ties() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
    prop::collection::vec((0u8..12, any::<bool>()), 2..60).prop_map(|mut pairs| {
        pairs[0].1 = true;
        pairs[1].1 = false;
        pairs
            .into_iter()
            .map(|(d, like)| (f32::from(d) / 4.0, like))
            .unzip()
    })
}

/// FAR, TAR and accuracy at a threshold, by counting.
fn count(distances: &[f32], like: &[bool], threshold: f32) -> (f64, f64, f64) {
    let share = |kind: bool| {
        let of_kind: Vec<bool> = distances
            .iter()
            .zip(like)
            .filter(|(_, l)| **l == kind)
            .map(|(d, _)| *d < threshold)
            .collect();
        of_kind.iter().filter(|s| **s).count() as f64 / of_kind.len() as f64
    };
    let right = distances
        .iter()
        .zip(like)
        .filter(|(d, l)| (**d < threshold) == **l)
        .count();
    (share(false), share(true), right as f64 / like.len() as f64)
}

/// Every threshold that separates anything: below, between and above the grid.
fn all_thresholds() -> impl Iterator<Item = f32> {
    (0..=12).map(|i| i as f32 / 4.0 - 0.125)
}

/// Figures at a threshold, every pair weighing the same.
fn at(threshold: f32, bootstrap: BootstrapConfig) -> VerificationConfig {
    VerificationConfig {
        threshold: Some(threshold),
        bootstrap,
        ..Default::default()
    }
}

proptest! {
    #[test]
    fn a_curve_says_what_any_threshold_does_as_counting_does(
        (distances, like) in pairs_with_ties(),
        threshold in -0.5f32..3.5,
    ) {
        let curve = RocCurve::new(&distances, &like).unwrap();
        for threshold in [threshold, distances[0], f32::INFINITY] {
            let (far, tar, _) = count(&distances, &like, threshold);
            let point = curve.at(threshold);
            prop_assert_eq!((point.threshold, point.far, point.tar), (threshold, far, tar));
        }
    }

    #[test]
    fn the_area_is_the_share_of_like_unlike_couples_in_order((distances, like) in pairs_with_ties()) {
        let (mut won, mut couples) = (0.0, 0.0);
        for (a, &is_like) in distances.iter().zip(&like) {
            for (b, &other_like) in distances.iter().zip(&like) {
                if is_like && !other_like {
                    couples += 1.0;
                    won += if a < b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
        }
        prop_assert!((roc_auc(&distances, &like).unwrap() - won / couples).abs() < 1e-12);
    }

    #[test]
    fn each_operating_point_is_what_counting_at_its_threshold_gives(
        (distances, like) in pairs_with_ties()
    ) {
        let points = RocCurve::new(&distances, &like).unwrap().points();
        let mut distinct = distances.clone();
        distinct.sort_by(f32::total_cmp);
        distinct.dedup();
        prop_assert_eq!(points.len(), distinct.len() + 1);
        for point in points {
            let (far, tar, _) = count(&distances, &like, point.threshold);
            prop_assert_eq!((point.far, point.tar), (far, tar));
        }
    }

    #[test]
    fn the_equal_error_rate_lies_on_the_curve_where_the_rates_cross(
        (distances, like) in pairs_with_ties()
    ) {
        let curve = RocCurve::new(&distances, &like).unwrap();
        let eer = curve.eer();
        // Bisect 1 − FAR − TAR(FAR) along the polyline, by arc position.
        let points = curve.points();
        let at = |s: f64| {
            let i = (s.floor() as usize).min(points.len() - 2);
            let part = s - i as f64;
            let mix = |a: f64, b: f64| a + (b - a) * part;
            (mix(points[i].far, points[i + 1].far), mix(points[i].tar, points[i + 1].tar))
        };
        let (mut low, mut high) = (0.0, (points.len() - 1) as f64);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            let (far, tar) = at(middle);
            if far < 1.0 - tar { low = middle } else { high = middle }
        }
        prop_assert!((at(low).0 - eer).abs() < 1e-9, "{} {}", at(low).0, eer);
    }

    #[test]
    fn no_threshold_beats_the_fitted_ones((distances, like) in pairs_with_ties()) {
        let best = fit_threshold(&distances, &like, Target::BestAccuracy).unwrap();
        let (far, tar, accuracy) = count(&distances, &like, best.value);
        prop_assert_eq!(best.accuracy, accuracy);
        prop_assert_eq!(best.far, far);
        prop_assert!((best.frr - (1.0 - tar)).abs() < 1e-12);
        let equal = fit_threshold(&distances, &like, Target::Eer).unwrap();
        let within = fit_threshold(&distances, &like, Target::Far(0.5));
        for threshold in all_thresholds() {
            let (far, tar, accuracy) = count(&distances, &like, threshold);
            prop_assert!(accuracy <= best.accuracy);
            prop_assert!((far - (1.0 - tar)).abs() >= (equal.far - equal.frr).abs() - 1e-12);
            if let Ok(within) = &within {
                prop_assert!(within.far <= 0.5);
                prop_assert!(far > 0.5 || tar <= 1.0 - within.frr + 1e-12);
            }
        }
    }

    #[test]
    fn true_accepts_at_a_far_are_the_best_that_any_threshold_gives(
        (distances, like) in pairs_with_ties(), allowed in 0.01f64..1.0
    ) {
        let curve = RocCurve::new(&distances, &like).unwrap();
        let best = all_thresholds()
            .map(|t| count(&distances, &like, t))
            .filter(|(far, _, _)| *far <= allowed)
            .map(|(_, tar, _)| tar)
            .fold(0.0, f64::max);
        match curve.tar_at_far(allowed) {
            Some(tar) => prop_assert_eq!(tar, best),
            None => prop_assert!(allowed * (curve.unlike_pairs() as f64) < 10.0),
        }
    }

    #[test]
    fn the_bundle_is_what_counting_gives((distances, like) in pairs_with_ties(), t in 0u8..13) {
        let threshold = f32::from(t) / 4.0;
        let bundle = Verification::at(&distances, &like, threshold).unwrap();
        let (far, tar, accuracy) = count(&distances, &like, threshold);
        prop_assert_eq!((bundle.far, bundle.recall, bundle.accuracy), (far, tar, accuracy));
        let same: Vec<bool> =
            distances.iter().zip(&like).filter(|(d, _)| **d < threshold).map(|(_, l)| *l).collect();
        let precision = (!same.is_empty())
            .then(|| same.iter().filter(|l| **l).count() as f64 / same.len() as f64);
        prop_assert_eq!(bundle.precision, precision);
        prop_assert_eq!(precision_called_same(&distances, &like, threshold).unwrap(), precision);
        let harmonic = match precision {
            Some(p) if p + tar > 0.0 => 2.0 * p * tar / (p + tar),
            _ => 0.0,
        };
        prop_assert!((bundle.f1 - harmonic).abs() < 1e-12);
    }

    #[test]
    fn the_named_figures_are_those_of_the_bundle(
        (distances, like) in pairs_with_ties(), t in 0u8..13
    ) {
        let threshold = f32::from(t) / 4.0;
        let pairs: Vec<(u32, u32)> =
            like.iter().enumerate().map(|(i, &l)| (i as u32 % 5, (i + usize::from(!l)) as u32 % 5)).collect();
        let bundle = Verification::at(&distances, &like, threshold).unwrap();
        let figures =
            verification_figures(&distances, &pairs, &at(threshold, BootstrapConfig::off())).unwrap();
        let value = |name| find(&figures, name).map(|f| f.value);
        prop_assert_eq!(value("accuracy"), Some(bundle.accuracy));
        prop_assert_eq!(value("roc_auc"), Some(bundle.roc_auc));
        prop_assert_eq!(value("eer"), Some(bundle.eer));
        prop_assert_eq!(value("average_precision"), Some(bundle.average_precision));
        prop_assert_eq!(value("precision_called_same"), bundle.precision);
        prop_assert_eq!(value("f1"), Some(bundle.f1));
        prop_assert_eq!(value("far"), Some(bundle.far));
        prop_assert_eq!(value("frr"), Some(bundle.frr));
        prop_assert!(figures.iter().all(|f| f.interval.is_none()));
    }
}

#[test]
fn separated_pairs_are_judged_perfect() {
    let curve = RocCurve::new(&[0.1, 0.2, 0.9], &[true, true, false]).unwrap();
    assert_eq!(
        (curve.roc_auc(), curve.eer(), curve.average_precision()),
        (1.0, 0.0, 1.0)
    );
    assert_eq!(curve.tar_at_far(1.0), None, "one unlike pair is no rate");
}

#[test]
fn a_rate_comes_from_ten_errors_worth_of_pairs_on() {
    let curve = |unlike: usize| {
        let distances: Vec<f32> = (0..=unlike).map(|i| i as f32).collect();
        let like: Vec<bool> = (0..=unlike).map(|i| i == 0).collect();
        RocCurve::new(&distances, &like).unwrap()
    };
    assert_eq!(curve(99).tar_at_far(0.1), None);
    assert_eq!(curve(100).tar_at_far(0.1), Some(1.0));
    let refused = curve(99).fit(Target::Far(0.1)).unwrap_err().to_string();
    assert!(
        refused.contains("with 99 unlike pairs; at least 100 are needed"),
        "{refused}"
    );
    assert!(curve(100).fit(Target::Far(0.1)).is_ok());
}

#[test]
fn a_collapsed_embedding_is_judged_at_chance() {
    let curve = RocCurve::new(&[0.0; 4], &[true, false, true, false]).unwrap();
    assert_eq!(
        (curve.roc_auc(), curve.eer(), curve.average_precision()),
        (0.5, 0.5, 0.5)
    );
    assert_eq!(curve.points().len(), 2);
}

#[test]
fn a_pair_at_the_threshold_is_different() {
    let at = Verification::at(&[0.5, 0.5], &[true, false], 0.5).unwrap();
    assert_eq!((at.far, at.recall, at.precision), (0.0, 0.0, None));
    let above = Verification::at(&[0.5, 0.5], &[true, false], 0.5f32.next_up()).unwrap();
    assert_eq!(
        (above.far, above.recall, above.precision),
        (1.0, 1.0, Some(0.5))
    );
}

#[test]
fn negative_and_positive_zero_are_the_same_distance() {
    let curve = RocCurve::new(&[0.0, -0.0], &[true, false]).unwrap();
    assert_eq!(curve.roc_auc(), 0.5);
}

#[test]
fn thresholds_between_neighbouring_floats_still_separate_them() {
    let (low, high) = (1.0f32, 1.0f32.next_up());
    let fitted = fit_threshold(&[low, high], &[true, false], Target::BestAccuracy).unwrap();
    assert!(low < fitted.value && fitted.value <= high);
    assert_eq!(fitted.accuracy, 1.0);
}

#[test]
fn bad_input_is_refused_by_name() {
    let text = |e: Error| e.to_string();
    assert_eq!(
        text(roc_auc(&[], &[]).unwrap_err()),
        "distances: empty, nothing to measure"
    );
    assert_eq!(
        text(roc_auc(&[0.1], &[true, false]).unwrap_err()),
        "distances has 1 entries and like has 2: they must agree"
    );
    assert_eq!(
        text(fit_threshold(&[0.1, f32::NAN], &[true, false], Target::Eer).unwrap_err()),
        "distances[1] is NaN: every value must be finite"
    );
    assert_eq!(
        text(roc_auc(&[0.1, 0.2], &[true, true]).unwrap_err()),
        "2 like and 0 unlike pairs: at least one of each is needed"
    );
    let like = [true, false];
    assert!(Verification::at(&[0.1, 0.2], &like, f32::NAN).is_err());
    for far in [1.5, 0.0, f64::NAN] {
        assert!(fit_threshold(&[0.1, 0.2], &like, Target::Far(far)).is_err());
    }
    assert_eq!(
        text(fit_threshold(&[0.1, 0.2], &like, Target::Far(1e-3)).unwrap_err()),
        "false accept rate: 0.001 cannot be measured with 1 unlike pairs; at least 10000 are needed, ten errors' worth"
    );
}

/// Ten classes, of which a seeded few are hard; each pair's distance depends on its classes.
fn clustered_pairs(count: usize) -> (Vec<f32>, Vec<(u32, u32)>) {
    let pairs: Vec<(u32, u32)> = (0..count as u32)
        .map(|i| {
            if i % 2 == 0 {
                (i / 2 % 10, i / 2 % 10)
            } else {
                (i % 10, (i / 10 + i + 1) % 10)
            }
        })
        .collect();
    let distances = pairs
        .iter()
        .enumerate()
        .map(|(i, (a, b))| {
            let noise = (i * 7919 % 101) as f32 / 101.0;
            let class = if a == b {
                0.2 + 0.08 * *a as f32
            } else {
                0.9 - 0.03 * (a + b) as f32
            };
            class + 0.5 * noise
        })
        .collect();
    (distances, pairs)
}

#[test]
fn intervals_enclose_their_figure_and_repeat_bit_for_bit_on_any_number_of_threads() {
    let (distances, pairs) = clustered_pairs(2600);
    let run = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| {
                verification_figures(&distances, &pairs, &at(0.8, BootstrapConfig::default()))
                    .unwrap()
            })
    };
    let figures = run(1);
    assert_eq!(figures, run(3));
    for name in [
        "accuracy",
        "roc_auc",
        "eer",
        "tar_at_far_1e-2",
        "precision_called_same",
    ] {
        let figure = find(&figures, name).unwrap();
        let interval = figure.interval.unwrap();
        assert!(
            interval.low <= figure.value && figure.value <= interval.high,
            "{figure:?}"
        );
        assert!(interval.low < interval.high, "{figure:?}");
    }
    assert!(
        find(&figures, "tar_at_far_1e-4").is_none(),
        "1300 unlike pairs cannot measure 1e-4"
    );
}

#[test]
fn resampling_classes_gives_wider_intervals_than_resampling_pairs_would() {
    let (distances, pairs) = clustered_pairs(2000);
    let figures =
        verification_figures(&distances, &pairs, &at(0.8, BootstrapConfig::default())).unwrap();
    let recall = find(&figures, "recall").unwrap();
    let interval = recall.interval.unwrap();
    let likes = pairs.iter().filter(|(a, b)| a == b).count() as f64;
    let independent = 2.0 * 1.96 * (recall.value * (1.0 - recall.value) / likes).sqrt();
    assert!(
        interval.high - interval.low > 2.0 * independent,
        "{interval:?} {independent}"
    );
}

/// The bootstrap's definition, written out: repeat each pair as often as its nodes were drawn,
/// take the plain area of each resample, and the percentiles of those.
fn area_interval_by_repeating(
    distances: &[f32],
    like: &[bool],
    nodes: &[(u32, u32)],
    config: &BootstrapConfig,
) -> (f64, f64) {
    use rand::{Rng, SeedableRng};
    let mut order: Vec<u32> = nodes.iter().flat_map(|(a, b)| [*a, *b]).collect();
    order.sort_unstable();
    order.dedup();
    let area = |replicate| {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(replicate);
        let drawn: Vec<usize> = order
            .iter()
            .map(|_| rng.random_range(0..order.len()))
            .collect();
        let times = |node| drawn.iter().filter(|d| order[**d] == node).count();
        let mut repeated = (Vec::new(), Vec::new());
        for ((distance, like), &(a, b)) in distances.iter().zip(like).zip(nodes) {
            let times = if a == b {
                times(a)
            } else {
                times(a) * times(b)
            };
            repeated.0.extend(std::iter::repeat_n(*distance, times));
            repeated.1.extend(std::iter::repeat_n(*like, times));
        }
        roc_auc(&repeated.0, &repeated.1).unwrap()
    };
    let mut areas: Vec<f64> = (0..config.replicates as u64).map(area).collect();
    areas.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (areas.len() - 1) as f64;
        let below = areas[at.floor() as usize];
        below + (areas[at.ceil() as usize] - below) * at.fract()
    };
    (
        quantile((1.0 - config.level) / 2.0),
        quantile((1.0 + config.level) / 2.0),
    )
}

#[test]
fn a_resample_weighs_pairs_as_repeating_them_would() {
    let (distances, pairs) = clustered_pairs(120);
    let like: Vec<bool> = pairs.iter().map(|(a, b)| a == b).collect();
    let config = BootstrapConfig {
        replicates: 40,
        seed: 9,
        level: 0.8,
    };
    let check = |figures: &[siamese_metrics::Figure], nodes: &[(u32, u32)]| {
        let interval = find(figures, "roc_auc").unwrap().interval.unwrap();
        let (low, high) = area_interval_by_repeating(&distances, &like, nodes, &config);
        assert!((interval.low - low).abs() < 1e-9, "{interval:?} {low}");
        assert!((interval.high - high).abs() < 1e-9, "{interval:?} {high}");
    };
    check(
        &verification_figures(&distances, &pairs, &at(0.8, config)).unwrap(),
        &pairs,
    );

    // By image: like pairs have two images as well.
    let images: Vec<(u32, u32)> = (0..120).map(|i| (i % 40, (i * 7 + 1) % 41 + 40)).collect();
    let figures =
        verification_figures_by_image(&distances, &like, &images, &at(0.8, config)).unwrap();
    check(&figures, &images);
}

#[test]
fn at_even_odds_the_rarer_kind_weighs_as_if_it_were_repeated() {
    let distances = [0.1, 0.2, 0.6, 0.3, 0.7, 0.8];
    let pairs = [(0, 0), (1, 2), (2, 1), (1, 2), (0, 2), (1, 0)];
    let config = VerificationConfig {
        mix: Mix::Even,
        ..at(0.5, BootstrapConfig::off())
    };
    let figures = verification_figures(&distances, &pairs, &config).unwrap();
    let value = |name| find(&figures, name).unwrap().value;
    // The like pair is right; of five unlike ones two are called the same.
    assert!((value("accuracy") - (1.0 + 0.6) / 2.0).abs() < 1e-12);
    assert!((value("precision") - 1.0 / 1.4).abs() < 1e-12);
    assert!((value("f1") - 2.0 / (1.0 + 0.4 + 1.0)).abs() < 1e-12);
    assert!((value("far") - 0.4).abs() < 1e-12);
    assert_eq!((value("roc_auc"), value("average_precision")), (1.0, 1.0));
    // Never calling anything the same is right of five in six, and no better than chance.
    let like: Vec<bool> = pairs.iter().map(|(a, b)| a == b).collect();
    let curve = RocCurve::new(&[0.9, 0.2, 0.6, 0.3, 0.7, 0.8], &like).unwrap();
    assert_eq!(curve.fit(Target::BestAccuracy).unwrap().accuracy, 5.0 / 6.0);
    let even = curve.with_mix(Mix::Even).fit(Target::BestAccuracy).unwrap();
    assert!((even.accuracy - 0.5).abs() < 1e-12);
}

#[test]
fn without_a_threshold_come_the_figures_that_need_none() {
    let (distances, pairs) = clustered_pairs(400);
    let config = at(0.8, BootstrapConfig::off());
    let all = verification_figures(&distances, &pairs, &config).unwrap();
    let config = VerificationConfig {
        threshold: None,
        ..config
    };
    let some = verification_figures(&distances, &pairs, &config).unwrap();
    let needing_none = all
        .into_iter()
        .filter(|figure| !needs_threshold(&figure.name));
    assert_eq!(some, needing_none.collect::<Vec<_>>());
    assert!(find(&some, "roc_auc").is_some() && find(&some, "accuracy").is_none());
}

#[test]
fn a_million_pairs_have_the_intervals_of_their_resampled_part() {
    let (distances, pairs) = clustered_pairs(4000);
    let many: (Vec<f32>, Vec<(u32, u32)>) = (0..250)
        .flat_map(|_| distances.iter().copied().zip(pairs.iter().copied()))
        .unzip();
    let config = at(
        0.8,
        BootstrapConfig {
            replicates: 60,
            ..Default::default()
        },
    );
    let once = verification_figures(&distances, &pairs, &config).unwrap();
    let often = verification_figures(&many.0, &many.1, &config).unwrap();
    for name in ["roc_auc", "eer", "accuracy", "recall"] {
        let (once, often) = (find(&once, name).unwrap(), find(&often, name).unwrap());
        assert!((once.value - often.value).abs() < 1e-9, "{name}");
        let (once, often) = (once.interval.unwrap(), often.interval.unwrap());
        assert!(
            (once.low - often.low).abs() < 5e-3,
            "{name}: {once:?} {often:?}"
        );
        assert!(
            (once.high - often.high).abs() < 5e-3,
            "{name}: {once:?} {often:?}"
        );
    }
}

#[test]
fn a_distance_that_is_told_is_the_threshold_whatever_the_pairs_say() {
    let (distances, like) = ([0.2, 0.4, 0.5, 0.8], [true, false, true, false]);
    let fitted = fit_threshold(&distances, &like, Target::Distance(0.5)).unwrap();
    assert_eq!((fitted.value, fitted.pairs), (0.5, 4));
    // a pair at the threshold is different: one of two like and one of two unlike pairs are called the same
    assert_eq!((fitted.far, fitted.frr, fitted.accuracy), (0.5, 0.5, 0.5));
    let none = fit_threshold(&distances, &like, Target::Distance(0.1)).unwrap();
    assert_eq!((none.value, none.far, none.frr), (0.1, 0.0, 1.0));
    assert!(fit_threshold(&distances, &like, Target::Distance(f32::NAN)).is_err());
}
