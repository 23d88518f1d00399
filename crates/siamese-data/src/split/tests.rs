use proptest::prelude::*;

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|c| format!("class {c}")).collect()
}

/// `sizes[c]` images of class c.
fn labels(sizes: &[usize]) -> Vec<u32> {
    (0u32..)
        .zip(sizes)
        .flat_map(|(class, &size)| std::iter::repeat_n(class, size))
        .collect()
}

fn items<'a>(labels: &'a [u32], classes: &'a [String]) -> Items<'a> {
    Items {
        labels,
        classes,
        groups: None,
        published: None,
        pairs: None,
    }
}

fn count(parts: &[Part], part: Part) -> usize {
    parts.iter().filter(|p| **p == part).count()
}

#[test]
fn few_classes_are_divided_by_images_and_many_by_classes() {
    for (classes, by) in [
        (3, SplitBy::Images),
        (9, SplitBy::Images),
        (10, SplitBy::Classes),
    ] {
        let (labels, names) = (labels(&vec![20; classes]), names(classes));
        let division = split(&items(&labels, &names), &SplitConfig::default(), 1).unwrap();
        assert_eq!(division.by, by, "{classes} classes");
    }
}

#[test]
fn no_test_or_validation_class_is_trained_on() {
    let (labels, names) = (labels(&[24; 32]), names(32));
    let division = split(&items(&labels, &names), &SplitConfig::default(), 7).unwrap();
    let classes = |part| -> BTreeSet<u32> {
        let of = labels
            .iter()
            .zip(&division.parts)
            .filter(|(_, p)| **p == part);
        of.map(|(label, _)| *label).collect()
    };
    let [train, validation, test, seen, _] = Part::ALL.map(classes);
    assert_eq!((test.len(), validation.len(), train.len()), (6, 5, 21));
    assert!(
        train.is_disjoint(&test) && train.is_disjoint(&validation) && test.is_disjoint(&validation)
    );
    assert_eq!(seen, train);
    assert!(
        division.explained.contains("6 classes to test"),
        "{}",
        division.explained
    );
}

#[test]
fn published_parts_are_kept_and_validation_is_cut_as_it_always_was() {
    let (labels, names) = (labels(&[40, 40, 40]), names(3));
    let parts: Vec<Option<Part>> = (0..120)
        .map(|i| Some(if i % 4 == 3 { Part::Test } else { Part::Train }))
        .collect();
    let items = Items {
        published: Some(&parts),
        ..items(&labels, &names)
    };
    let division = split(&items, &SplitConfig::default(), 5).unwrap();
    assert_eq!(division.by, SplitBy::Published);
    let training: Vec<usize> = (0..120).filter(|i| i % 4 != 3).collect();
    let own: Vec<u32> = training.iter().map(|&i| labels[i]).collect();
    let (_, held_out) = stratified_split(&own, 0.1, 5).unwrap();
    let expected: Vec<usize> = held_out.iter().map(|&at| training[at as usize]).collect();
    let found: Vec<usize> = (0..120)
        .filter(|&i| division.parts[i] == Part::Validation)
        .collect();
    assert_eq!(found, expected);
    assert!((3..120).step_by(4).all(|i| division.parts[i] == Part::Test));
}

#[test]
fn classes_whose_share_is_one_image_still_validate_by_pairs() {
    let (labels, names) = (labels(&[9; 12]), names(12));
    let parts: Vec<Option<Part>> = (0..108)
        .map(|i| Some(if i % 9 < 2 { Part::Test } else { Part::Train }))
        .collect();
    let items = Items {
        published: Some(&parts),
        ..items(&labels, &names)
    };
    let division = split(&items, &SplitConfig::default(), 0).unwrap();
    assert_eq!(count(&division.parts, Part::Validation), 8);
}

#[test]
fn where_the_published_test_is_of_new_classes_validation_is_too() {
    let (labels, names) = (labels(&[10; 30]), names(30));
    let parts: Vec<Option<Part>> = labels
        .iter()
        .map(|&label| Some(if label < 20 { Part::Train } else { Part::Test }))
        .collect();
    // drawers who drew every character tear nothing
    let drawers: Vec<u32> = (0..300).map(|i| i % 10).collect();
    let items = Items {
        published: Some(&parts),
        groups: Some(&drawers),
        ..items(&labels, &names)
    };
    let division = split(&items, &SplitConfig::default(), 0).unwrap();
    assert_eq!(count(&division.parts, Part::Validation), 40);
    assert_eq!(count(&division.parts, Part::LeftOut), 0);
    let validating = |label: u32| {
        let of = labels
            .iter()
            .zip(&division.parts)
            .filter(|(l, _)| **l == label);
        of.filter(|(_, part)| **part == Part::Validation).count()
    };
    assert!((0..20).all(|label| matches!(validating(label), 0 | 10)));
}

#[test]
fn lists_of_classes_are_kept_to_and_the_rest_left_out() {
    let (labels, names) = (labels(&[10; 8]), names(8));
    let list = |of: &[usize]| of.iter().map(|&c| names[c].clone()).collect();
    let lists = ClassLists {
        train: list(&[0, 1, 2]),
        validation: list(&[3, 4]),
        test: list(&[5, 6]),
    };
    let config = SplitConfig {
        classes: Some(lists),
        ..Default::default()
    };
    let division = split(&items(&labels, &names), &config, 0).unwrap();
    assert_eq!(count(&division.parts, Part::LeftOut), 10);
    assert_eq!(count(&division.parts, Part::Test), 20);
    let mut wrong = config;
    wrong.classes.as_mut().unwrap().test.push("unicorn".into());
    let error = split(&items(&labels, &names), &wrong, 0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unicorn"), "{error}");
}

#[test]
fn a_seen_test_of_nothing_leaves_every_image_of_the_training_classes_to_train_on() {
    let (labels, names) = (labels(&[10; 40]), names(40));
    let config = SplitConfig {
        test: 0.25,
        seen_test: 0.0,
        ..Default::default()
    };
    let division = split(&items(&labels, &names), &config, 3).unwrap();
    assert_eq!(count(&division.parts, Part::Train), 250);
    assert_eq!(count(&division.parts, Part::SeenTest), 0);
}

#[test]
fn what_cannot_be_judged_is_an_error_that_names_the_part() {
    let (lone, classes) = (labels(&[1; 6]), names(6));
    let error = split(&items(&lone, &classes), &SplitConfig::default(), 0).unwrap_err();
    assert!(error.to_string().contains("no class has two"), "{error}");
    let config = SplitConfig {
        by: Some(SplitBy::Groups),
        ..Default::default()
    };
    assert!(split(&items(&lone, &classes), &config, 0).is_err());
    let config = SplitConfig {
        test: 0.0,
        ..Default::default()
    };
    let error = split(&items(&lone, &classes), &config, 0)
        .unwrap_err()
        .to_string();
    assert!(error.contains("data.split.test"), "{error}");
}

#[test]
fn a_table_is_written_and_a_changed_line_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.csv");
    let (labels, classes) = (
        labels(&[20; 3]),
        vec!["a,b".into(), "c \"d\"".into(), "e".into()],
    );
    let items = items(&labels, &classes);
    let files: Vec<String> = (0..60)
        .map(|i| format!("dir, with comma/{i}.png"))
        .collect();
    let mut division = split(&items, &SplitConfig::default(), 0).unwrap();
    write_split(&path, &items, &files, &division.parts).unwrap();
    check_split(&path, &items, &files, &division.parts).unwrap();
    division.parts[4] = Part::LeftOut;
    let error = check_split(&path, &items, &files, &division.parts).unwrap_err();
    assert!(error.to_string().contains("split.csv:6"), "{error}");
    let shorter = Items {
        labels: &labels[..59],
        ..items
    };
    assert!(check_split(&path, &shorter, &files, &division.parts[..59]).is_err());
}

proptest! {
    #[test]
    fn groups_are_unbroken_and_every_judged_part_makes_pairs(
        sizes in proptest::collection::vec(1usize..30, 2..40),
        groups in proptest::option::of(2u32..60),
        seed in 0u64..50,
    ) {
        let (labels, classes) = (labels(&sizes), names(sizes.len()));
        let grouped: Option<Vec<u32>> =
            groups.map(|count| (0..labels.len() as u32).map(|i| i * 7 % count).collect());
        let items = Items { groups: grouped.as_deref(), ..items(&labels, &classes) };
        let Ok(division) = split(&items, &SplitConfig::default(), seed) else { return Ok(()) };
        prop_assert_eq!(&division, &split(&items, &SplitConfig::default(), seed).unwrap());
        prop_assert_eq!(division.parts.len(), labels.len());
        for part in [Part::Train, Part::Validation, Part::Test] {
            prop_assert!(check(&items, &division.parts, part).is_ok(), "{part}");
        }
        if let Some(groups) = &grouped {
            let mut of_group = BTreeMap::new();
            for (group, part) in groups.iter().zip(&division.parts).filter(|(_, p)| **p != Part::LeftOut) {
                prop_assert_eq!(*of_group.entry(group).or_insert(*part), *part);
            }
        }
        for (class, &size) in (0u32..).zip(&sizes).filter(|(_, size)| **size == 1) {
            let i = labels.iter().position(|&label| label == class).unwrap();
            prop_assert!(groups.is_some() || division.parts[i] == Part::Train, "a lone image of {class} of {size}");
        }
    }
}

#[test]
fn listed_pairs_are_divided_by_their_classes_so_that_few_lie_between_the_parts() {
    // sixty things of two pictures: each its like pair, and unlike ones between neighbours
    let (labels, names) = (labels(&[2; 60]), names(60));
    let like = (0..60).map(|i| Pair {
        a: 2 * i,
        b: 2 * i + 1,
        like: true,
    });
    let unlike = (0..60).map(|i| Pair {
        a: 2 * i,
        b: (2 * i + 3) % 120,
        like: false,
    });
    let pairs: Vec<Pair> = like.chain(unlike).collect();
    let items = Items {
        pairs: Some(&pairs),
        ..items(&labels, &names)
    };
    let division = split(&items, &SplitConfig::default(), 5).unwrap();
    assert_eq!(division.by, SplitBy::Classes);
    for class in labels.chunks(2).zip(division.parts.chunks(2)) {
        assert_eq!(class.1[0], class.1[1], "{class:?}");
    }
    let within = |part| pairs_within(&pairs, &division.parts, part);
    let [test, validation, train] = [Part::Test, Part::Validation, Part::Train].map(within);
    assert!(test.iter().all(|&count| count >= 5), "{test:?}");
    assert!(validation.iter().all(|&count| count >= 2), "{validation:?}");
    assert!(train.iter().sum::<usize>() > 50, "{train:?}");
    assert!(division.explained.contains("pairs within them"));
}

#[test]
fn pairs_of_few_classes_leave_most_of_them_to_train_on() {
    // twenty things of five pictures, every one of them paired with many others
    let (labels, names) = (labels(&[5; 20]), names(20));
    let pair = |a: u32, b: u32| Pair {
        a,
        b,
        like: a / 5 == b / 5,
    };
    let pairs: Vec<Pair> = (0..100)
        .flat_map(|a| [1, 2, 17, 33].map(|by| pair(a, (a + by) % 100)))
        .collect();
    let items = Items {
        pairs: Some(&pairs),
        ..items(&labels, &names)
    };
    let division = split(&items, &SplitConfig::default(), 5).unwrap();
    assert!(
        count(&division.parts, Part::Train) >= 60,
        "{}",
        division.explained
    );
    for part in [Part::Train, Part::Validation, Part::Test] {
        let within = pairs_within(&pairs, &division.parts, part);
        assert!(within.iter().all(|&count| count > 0), "{part}: {within:?}");
    }
}
