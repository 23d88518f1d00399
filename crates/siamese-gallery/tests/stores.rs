//! What a gallery promises, over each store.

#![allow(clippy::unwrap_used)] // the lint's exception for tests misses their helpers

mod places;

use std::collections::BTreeMap;
use std::sync::Arc;

use places::{Place, about, all, entry, filled, places};
use siamese_core::metrics::{Combine, Comparison, Dense, Distance};
use siamese_gallery::{
    About, Added, Entry, Error, Filter, Gallery, Identify, Match, Row, Together,
};

#[test]
fn entries_come_back_as_they_were_added_in_another_opening() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 20);
        let class = |n: usize| format!("class {}", n % 4);
        let expected: Vec<Entry> = (0..20).map(|n| entry(n, &class(n))).collect();
        assert_eq!(all(&mut gallery), expected);
        let mut again = Gallery::open(place).unwrap();
        assert_eq!(again.about(), &about("a"));
        assert_eq!(all(&mut again), expected);
        let counts: BTreeMap<String, usize> = (0..4).map(|c| (format!("class {c}"), 5)).collect();
        assert_eq!(again.classes().unwrap(), counts);
        assert_eq!(again.check().unwrap(), Vec::<String>::new());
        assert!(again.size().unwrap() > 0);
    }
}

#[test]
fn the_same_picture_is_noticed_and_an_entry_without_a_hash_is_always_new() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 2);
        let added = gallery
            .add_entries(&[entry(1, "other"), entry(7, "x")])
            .unwrap();
        let known = matches!(&added[0], Added::Known { class, name, .. } if class == "class 1" && name == "1.png");
        assert!(known && matches!(added[1], Added::New(_)), "{added:?}");
        let nameless = Entry {
            hash: None,
            ..entry(9, "x")
        };
        let twice = gallery.add_entries(&[nameless.clone(), nameless]).unwrap();
        assert!(twice.iter().all(|added| matches!(added, Added::New(_))));
        let at_once = gallery
            .add_entries(&[entry(11, "x"), entry(11, "y")])
            .unwrap();
        assert!(
            matches!(at_once[..], [Added::New(_), Added::Known { .. }]),
            "{at_once:?}"
        );
        assert_eq!(all(&mut gallery).len(), 6);
    }
}

#[test]
fn what_is_no_embedding_of_the_model_is_refused_and_nothing_is_added() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 1);
        let short = Entry {
            embedding: vec![0.0; 2],
            ..entry(5, "x")
        };
        let nan = Entry {
            embedding: vec![0.0, f32::NAN, 0.0],
            ..entry(6, "x")
        };
        for (wrong, part) in [(short, "2 numbers"), (nan, "NaN")] {
            let error = gallery.add_entries(&[entry(4, "x"), wrong]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(all(&mut gallery).len(), 1);
        assert!(gallery.search(&[0.0; 4], 1, &Filter::default()).is_err());
    }
}

#[test]
fn a_reader_sees_what_a_writer_adds_renames_and_removes_without_reopening() {
    for Place { place, .. } in &places() {
        let mut writer = filled(place, 8);
        let mut reader = Gallery::open(place).unwrap();
        let probe = entry(3, "").embedding;
        let mut nearest = || {
            let found = reader.search(&probe, 2, &Filter::default()).unwrap();
            let shown = found.into_iter().map(|near| (near.class, near.name));
            shown.collect::<Vec<_>>()
        };
        let pair = |class: &str, name: &str| (class.to_string(), name.to_string());
        assert_eq!(
            nearest(),
            [pair("class 3", "3.png"), pair("class 0", "4.png")]
        );
        let twin = Entry {
            embedding: probe.clone(),
            ..entry(50, "twin")
        };
        writer.add_entries(&[twin]).unwrap();
        assert_eq!(
            nearest(),
            [pair("class 3", "3.png"), pair("twin", "50.png")]
        );
        assert_eq!(writer.rename("class 3", "renamed").unwrap(), 2);
        assert_eq!(nearest()[0], pair("renamed", "3.png"));
        let removed = writer.remove(&Filter::parse(&["name=3.png"]).unwrap());
        assert_eq!(removed.unwrap(), 1);
        assert_eq!(nearest()[0], pair("twin", "50.png"));
        writer.compact().unwrap();
        assert_eq!(nearest()[0], pair("twin", "50.png"));
        assert!(
            writer
                .rename("nobody", "x")
                .unwrap_err()
                .to_string()
                .contains("nobody")
        );
    }
}

#[test]
fn a_filtered_search_is_the_search_among_those() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 60);
        let probe = [17.3, 0.0, 0.2];
        for words in [
            &["class=class 2"][..],
            &["year=2001"],
            &["class=class 1", "year=2002"],
        ] {
            let filter = Filter::parse(words).unwrap();
            let mut taken = Vec::new();
            let see = |row: Row| {
                let distance = Distance::Euclidean.of(&probe, &row.entry.embedding);
                taken.push((distance, row.id));
                Ok(())
            };
            gallery.entries(&filter, see).unwrap();
            taken.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            taken.truncate(4);
            let found = gallery.search(&probe, 4, &filter).unwrap();
            let found: Vec<_> = found.iter().map(|near| (near.distance, near.id)).collect();
            assert_eq!((found.len(), found), (4, taken), "{words:?}");
        }
    }
}

#[test]
fn search_is_that_of_a_double_loop() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 300);
        let mut rows = Vec::new();
        let see = |row: Row| {
            rows.push((row.id, row.entry.embedding));
            Ok(())
        };
        gallery.entries(&Filter::default(), see).unwrap();
        let probes: Vec<[f32; 3]> = (0..9).map(|i| [i as f32 * 31.7, 0.3, -0.2]).collect();
        let found = gallery.search_all(&probes, 7, &Filter::default()).unwrap();
        for (probe, found) in probes.iter().zip(found) {
            let distance = |row: &Vec<f32>| Distance::Euclidean.of(probe, row);
            let mut all: Vec<_> = rows.iter().map(|(id, row)| (distance(row), *id)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let found: Vec<_> = found.iter().map(|near| (near.distance, near.id)).collect();
            assert_eq!(found, all[..7]);
        }
    }
}

#[test]
fn a_search_by_an_index_finds_nearly_all_and_a_filtered_one_as_many_as_were_asked_for() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 500);
        if !place.contains("://") {
            assert!(
                gallery
                    .index()
                    .unwrap_err()
                    .to_string()
                    .contains("searched exactly")
            );
            continue;
        }
        gallery.index().unwrap();
        let rare = Filter::parse(&["class=class 3", "year=2001"]).unwrap();
        let (mut found, mut wanted) = (0, 0);
        for number in 0..20 {
            let probe = [number as f32 * 25.0 + 0.3, 0.1, -0.4];
            for filter in [&Filter::default(), &rare] {
                let exact = gallery.search(&probe, 10, filter).unwrap();
                let near = gallery.search_near(&probe, 10, filter).unwrap();
                assert_eq!(near.len(), 10);
                found += near.iter().filter(|one| exact.contains(one)).count();
                wanted += exact.len();
            }
        }
        assert!(found * 100 >= wanted * 95, "{found} of {wanted}");
    }
}

#[test]
fn a_class_is_as_near_as_its_nearest_example_or_as_their_mean() {
    for Place { place, .. } in &places() {
        let mut gallery = Gallery::create_as(place, about("a")).unwrap();
        let at = |number: usize, class: &str, x: f32| Entry {
            embedding: vec![x, 0.0, 0.0],
            ..entry(number, class)
        };
        // of a: 1 and 9; of b: 3 and 4
        let entries = [
            at(0, "a", 1.0),
            at(1, "b", 3.0),
            at(2, "b", -4.0),
            at(3, "a", 9.0),
        ];
        gallery.add_entries(&entries).unwrap();
        let mut classes = |together| {
            let how = Identify {
                together,
                ..Identify::default()
            };
            let answer = gallery.identify(&[0.0; 3], &how).unwrap();
            assert_eq!(
                answer.known,
                Some(false),
                "two classes tell nothing: 0.5 is the model's threshold for pairs"
            );
            let classes = answer.matches.into_iter();
            classes
                .map(|near| (near.class, near.name, near.distance))
                .collect::<Vec<_>>()
        };
        let of =
            |class: &str, name: &str, distance| (class.to_string(), name.to_string(), distance);
        assert_eq!(
            classes(Together::Nearest),
            [of("a", "0.png", 1.0), of("b", "1.png", 3.0)]
        );
        assert_eq!(
            classes(Together::Mean),
            [of("b", "1.png", 3.5), of("a", "0.png", 5.0)]
        );
        let told = Identify {
            threshold: Some(1.5),
            ..Identify::default()
        };
        assert_eq!(
            gallery.identify(&[0.0; 3], &told).unwrap().known,
            Some(true)
        );
    }
}

/// How far the nearest class is that is not the probe's own, for every entry, ascending.
fn strangers(entries: &[Entry], together: Together) -> Vec<f32> {
    let of = |probe: &Entry| {
        let mut classes: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
        for other in entries.iter().filter(|other| other.class != probe.class) {
            let distance = Distance::Euclidean.of(&probe.embedding, &other.embedding);
            classes.entry(&other.class).or_default().push(distance);
        }
        let far = |distances: &Vec<f32>| match together {
            Together::Nearest => distances.iter().copied().fold(f32::MAX, f32::min),
            Together::Mean => {
                let sum: f64 = distances.iter().map(|d| f64::from(*d)).sum();
                (sum / distances.len() as f64) as f32
            }
        };
        classes.values().map(far).fold(f32::MAX, f32::min)
    };
    let mut strangers: Vec<f32> = entries.iter().map(of).collect();
    strangers.sort_by(f32::total_cmp);
    strangers
}

#[test]
fn a_small_gallery_says_that_its_threshold_is_estimated_and_a_large_one_fits_its_own() {
    for Place { place, .. } in &places() {
        let mut gallery = filled(place, 99);
        let limit = gallery.limit(Together::Nearest).unwrap();
        assert!(limit.why.contains("estimated from"), "{}", limit.why);
        gallery.add_entries(&[entry(99, "class 3")]).unwrap();
        for together in [Together::Nearest, Together::Mean] {
            let limit = gallery.limit(together).unwrap();
            let strangers = strangers(&all(&mut gallery), together);
            assert_eq!(
                limit.threshold,
                Some(f64::from(strangers[1])),
                "one of 100 is nearer"
            );
            assert!(limit.why.contains("of 100 strangers"), "{}", limit.why);
        }
    }
}

#[test]
fn an_export_is_the_same_gallery_elsewhere() {
    for Place {
        place,
        folder,
        other,
    } in &places()
    {
        let mut gallery = filled(place, 10);
        let file = folder.path().join("out.jsonl");
        assert_eq!(gallery.export(&file).unwrap().entries, 10);
        let mut copy = Gallery::create_as(other, About::of_export(&file).unwrap()).unwrap();
        assert_eq!(copy.import(&file, |_| {}).unwrap().entries, 10);
        assert_eq!(all(&mut copy), all(&mut gallery));
        assert_eq!(copy.import(&file, |_| {}).unwrap().known, 10);
        let stranger = folder.path().join("stranger").display().to_string();
        let mut stranger = Gallery::create_as(&stranger, about("b")).unwrap();
        let error = stranger.import(&file, |_| {}).unwrap_err();
        assert!(matches!(error, Error::OtherModel { .. }));
        let error = error.to_string();
        assert!(
            error.contains("runs/a") && error.contains("runs/b"),
            "{error}"
        );
        std::fs::write(&file, "{}\n").unwrap();
        let error = copy.import(&file, |_| {}).unwrap_err().to_string();
        assert!(error.contains("out.jsonl:1"), "{error}");
    }
}

#[test]
fn a_place_with_a_gallery_is_not_made_again_and_one_without_is_told() {
    for Place { place, other, .. } in &places() {
        filled(place, 1);
        let error = Gallery::create_as(place, about("b"))
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        let error = Gallery::open(other).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("siamese gallery create"), "{error}");
    }
}

#[test]
fn writers_of_two_openings_take_turns_and_no_entry_is_lost() {
    for Place { place, .. } in &places() {
        filled(place, 0);
        let write = |first: usize| {
            let mut gallery = Gallery::open(place).unwrap();
            for number in first..first + 25 {
                gallery.add_entries(&[entry(number, "x")]).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for first in [0, 100, 200] {
                scope.spawn(move || write(first));
            }
        });
        let mut gallery = Gallery::open(place).unwrap();
        assert_eq!(all(&mut gallery).len(), 75);
        let found = gallery.search(&[0.0; 3], 100, &Filter::default()).unwrap();
        assert_eq!(found.len(), 75);
    }
}

#[test]
fn a_gallery_of_first_numbers_shortens_what_it_is_given_and_what_it_is_asked() {
    for Place {
        place,
        folder,
        other,
    } in &places()
    {
        let short = about("a").shortened(2).unwrap();
        assert_eq!((short.model.dim, short.model.threshold), (2, None));
        let mut gallery = Gallery::create_as(place, short).unwrap();
        let entries: Vec<Entry> = (1..30)
            .map(|n| entry(n, &format!("class {}", n % 4)))
            .collect();
        gallery.add_entries(&entries).unwrap();
        let first = |embedding: &[f32]| {
            let length = embedding[0].hypot(embedding[1]);
            [embedding[0] / length, embedding[1] / length]
        };
        let probe = [4.0, 3.0, 9.0];
        let mut expected: Vec<f32> = entries
            .iter()
            .map(|entry| Distance::Euclidean.of(&[0.8, 0.6], &first(&entry.embedding)))
            .collect();
        expected.sort_by(f32::total_cmp);
        let mut again = Gallery::open(place).unwrap();
        let found = again
            .search_all(&[probe, probe], 29, &Filter::default())
            .unwrap();
        assert_eq!(found.len(), 2);
        for (found, expected) in found[1].iter().zip(expected) {
            assert!(
                (found.distance - expected).abs() < 1e-6,
                "{found:?} {expected}"
            );
        }
        let answer = again.identify(&probe, &Identify::default()).unwrap();
        assert_eq!(answer.matches[0].id, found[0][0].id);
        // what is exported is short, and is taken by another that keeps as many
        let file = folder.path().join("out.jsonl");
        gallery.export(&file).unwrap();
        let mut copy = Gallery::create_as(other, About::of_export(&file).unwrap()).unwrap();
        assert_eq!(copy.import(&file, |_| {}).unwrap().entries, 29);
        assert_eq!(all(&mut copy), all(&mut gallery));
        for dims in [0, 1, 3, 4] {
            let error = about("a").shortened(dims).unwrap_err().to_string();
            assert!(error.contains("3 numbers"), "{error}");
        }
    }
}

/// A head of one hidden layer for embeddings of three numbers.
fn head() -> Comparison {
    let number = |i: usize| ((i * 37) % 101) as f32 / 50.0 - 1.0;
    let layer = |outputs: usize, inputs: usize| Dense {
        weights: (0..outputs * inputs).map(number).collect(),
        bias: (0..outputs).map(number).collect(),
    };
    let combine = vec![Combine::AbsoluteDifference, Combine::Product];
    Comparison::new(combine, 3, vec![layer(4, 6), layer(1, 4)]).unwrap()
}

#[test]
fn a_model_with_a_head_is_searched_identified_and_exported_by_it_in_any_opening() {
    for Place {
        place,
        folder,
        other,
    } in &places()
    {
        let mut about = about("a");
        about.format = 2;
        about.model.head = Some(Arc::new(head()));
        let mut gallery = Gallery::create_as(place, about.clone()).unwrap();
        // spread near 0, where the head tells them apart
        let near = |n: usize| Entry {
            embedding: entry(n, "").embedding.iter().map(|x| x / 40.0).collect(),
            ..entry(n, &format!("class {}", n % 4))
        };
        let entries: Vec<Entry> = (0..120).map(near).collect();
        gallery.add_entries(&entries).unwrap();
        let mut again = Gallery::open(place).unwrap();
        assert_eq!(again.about(), &about);
        let probe = [0.7, 0.1, -0.2];
        let mut expected: Vec<(f32, String)> = entries
            .iter()
            .map(|entry| (head().of(&probe, &entry.embedding), entry.name.clone()))
            .collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0));
        let found = again.search(&probe, 120, &Filter::default()).unwrap();
        let distances: Vec<f32> = found.iter().map(|near| near.distance).collect();
        let sorted: Vec<f32> = expected.iter().map(|(distance, _)| *distance).collect();
        assert_eq!(distances, sorted);
        let class = Filter::parse(&["class=class 1"]).unwrap();
        assert_eq!(again.search(&probe, 50, &class).unwrap().len(), 30);
        for together in [Together::Nearest, Together::Mean] {
            let limit = again.limit(together).unwrap();
            assert!(limit.why.contains("of 120 strangers"), "{}", limit.why);
            let how = Identify {
                together,
                ..Identify::default()
            };
            let answer = again.identify(&probe, &how).unwrap();
            let known = f64::from(answer.matches[0].distance) < limit.threshold.unwrap();
            assert_eq!((answer.matches.len(), answer.known), (4, Some(known)));
        }
        let refused = [
            again.index().unwrap_err(),
            again.search_near(&probe, 3, &class).unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().contains("a head"), "{error}");
        }
        let file = folder.path().join("out.jsonl");
        gallery.export(&file).unwrap();
        let mut copy = Gallery::create_as(other, About::of_export(&file).unwrap()).unwrap();
        copy.import(&file, |_| {}).unwrap();
        let there = copy.search(&probe, 120, &Filter::default()).unwrap();
        let names = |found: &[Match]| found.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&there), names(&found));
        // the same tower with other weights in its head is another model
        about.model.head = None;
        about.model.fingerprint = "a-other".into();
        let stranger = folder.path().join("stranger").display().to_string();
        let mut stranger = Gallery::create_as(&stranger, about).unwrap();
        let error = stranger.import(&file, |_| {}).unwrap_err();
        assert!(matches!(error, Error::OtherModel { .. }), "{error}");
    }
}

/// A hundred searches while another opening adds: each sees all that was acknowledged before it began.
#[test]
fn a_search_sees_all_that_was_acknowledged_before_it() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    for Place { place, .. } in &places() {
        filled(place, 0);
        let acknowledged = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut gallery = Gallery::open(place).unwrap();
                for number in 0..40 {
                    gallery.add_entries(&[entry(number, "x")]).unwrap();
                    acknowledged.store(number + 1, Ordering::SeqCst);
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut gallery = Gallery::open(place).unwrap();
                    loop {
                        let before = acknowledged.load(Ordering::SeqCst);
                        let found = gallery.search(&[0.0; 3], 50, &Filter::default()).unwrap();
                        assert!(found.len() >= before, "{} of {before}", found.len());
                        if before == 40 {
                            return;
                        }
                    }
                });
            }
        });
    }
}
