//! A made-up check of a data set.

use siamese_report::{DataReport, Finding, FindingGroup, RunReport, Weight};

/// Flaws of every kind, with the pictures of `run`.
pub(crate) fn report(run: &RunReport) -> DataReport {
    let twins = run.examples.iter().cycle().take(60).map(|pair| Finding {
        pictures: vec![
            (pair.left.clone(), pair.left_file.clone()),
            (pair.right.clone(), pair.right_file.clone()),
        ],
        note: "correlation 0.987".into(),
    });
    let cut = Finding {
        pictures: vec![(
            Default::default(),
            "trees a/IMG_20190714_173305_HDR.jpg".into(),
        )],
        note: "the file ends within the picture".into(),
    };
    let sizes = [(640, 480, 312), (480, 640, 160), (4032, 3024, 60)];
    let sizes = sizes.map(|(width, height, count)| Finding {
        note: format!("{width}×{height} · {count} pictures"),
        ..Default::default()
    });
    let group = |title: &str, note: &str, total, findings: Vec<Finding>| FindingGroup {
        title: title.into(),
        note: note.into(),
        total,
        findings,
        ..Default::default()
    };
    DataReport {
        name: "photos/of-the-whole-summer".into(),
        data: "1 340 pictures of 12 classes, most of 512×512 pixels".into(),
        verdict: "Look at what was found before you trust figures.".into(),
        counts: vec![
            ("pictures".into(), 1340),
            ("classes".into(), 12),
            ("pictures that are there twice".into(), 60),
            ("  of these in another class".into(), 7),
            ("pictures of another size than most".into(), 532),
        ],
        groups: vec![
            group("Cannot be read, or are cut", "", 1, vec![cut]),
            group(
                "The same picture in two classes",
                "One of the two labels must be wrong.",
                60,
                twins.collect(),
            ),
            FindingGroup {
                weight: Weight::Minor,
                ..group(
                    "Of another size than most",
                    "They are resized, not cropped: what is in them is stretched.",
                    532,
                    sizes.to_vec(),
                )
            },
        ],
        ..Default::default()
    }
}
