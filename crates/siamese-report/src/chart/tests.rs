//! Tests of the charts: on any data a chart is well-formed, finite, and says what it left out.

use proptest::prelude::*;

use super::*;

/// Fails unless tags nest and no number is anything but a number.
fn assert_sound(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{part}");
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert!(!tag.contains("NaN") && !tag.contains("inf"), "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
}

fn canvas() -> Canvas {
    Canvas::new("test", Axis::new("x"), Axis::new("y"))
}

fn simple(points: Vec<(f64, f64)>) -> String {
    line(&canvas(), &[Series::new("a", Tone::LIKE, points)], &[])
}

fn any_points() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((any::<f64>(), any::<f64>()), 0..20)
}

proptest! {
    #[test]
    fn line_charts_are_sound_on_any_data(points in any_points(), scale in 0..3, mark in any::<f64>()) {
        let scale = [Scale::Linear, Scale::Log, Scale::Probit][scale as usize];
        let axis = || Axis::new("a < b").scaled(scale);
        let canvas = Canvas::new("\"t\"", axis(), axis().percent());
        let marks = [
            Mark::At { x: mark, label: "at".into() },
            Mark::Point { x: mark, y: mark, label: "point".into(), below: true },
        ];
        let series = [
            Series::new("<&>", Tone::LIKE, points.clone()).dotted(),
            Series::new("b", Tone::Muted, points).named_at(1),
        ];
        assert_sound(&line(&canvas, &series, &marks));
    }

    #[test]
    fn histograms_are_sound_on_any_data(
        like in prop::collection::vec(any::<f32>(), 0..30),
        unlike in prop::collection::vec(-1f32..1.0, 0..30),
        mark in any::<f64>(),
    ) {
        let samples = [
            Sample { name: "like".into(), values: &like, tone: Tone::LIKE },
            Sample { name: "unlike".into(), values: &unlike, tone: Tone::UNLIKE },
        ];
        assert_sound(&histogram(&canvas(), &samples, Some((mark, "m"))));
    }

    #[test]
    fn maps_are_sound_on_any_data(points in any_points(), classes in 0usize..12) {
        let map = ScatterMap {
            title: "map".into(),
            points: points.iter().enumerate().map(|(class, &(x, y))| MapPoint { x, y, class }).collect(),
            classes: (0..classes).map(|class| format!("class {class}")).collect(),
        };
        let picture = |at: usize| at.is_multiple_of(2).then(|| Picture { address: "data:,".into(), aspect: at as f64 });
        assert_sound(&scatter_map(&map, picture));
    }

    #[test]
    fn heat_maps_are_sound_on_any_data(
        cells in prop::collection::vec((0usize..6, 0usize..6, any::<f64>(), any::<u64>()), 0..12),
        named in 0usize..90,
        groups in prop::collection::vec(0usize..4, 0..4),
    ) {
        let groups = groups.into_iter().map(|size| HeatGroup { name: "<g>".into(), size }).collect();
        let names = vec!["<n>".to_string(); named];
        let cell = |(row, column, share, count)| HeatCell { row, column, share, count };
        let cells = cells.into_iter().map(cell).collect();
        let (row_label, column_label) = ("true".to_string(), "called".to_string());
        let title = "heat".to_string();
        assert_sound(&heat_map(&HeatMap { title, cells, names, groups, row_label, column_label }));
    }
}

#[test]
fn no_data_is_said_in_words() {
    assert!(simple(vec![]).contains("no data"));
    assert!(simple(vec![(1.0, f64::NAN)]).contains("no data"));
    assert!(histogram(&canvas(), &[], None).contains("no data"));
    let empty = ScatterMap {
        title: String::new(),
        points: vec![],
        classes: vec![],
    };
    assert!(scatter_map(&empty, |_| None).contains("no data"));
}

#[test]
fn a_lone_point_is_a_dot() {
    assert!(simple(vec![(1.0, 2.0)]).contains("<circle class=\"c0\""));
    assert!(!simple(vec![(1.0, 2.0), (2.0, 3.0)]).contains("<circle class=\"c0\""));
}

#[test]
fn a_value_that_is_not_finite_interrupts_the_line_and_is_counted() {
    let points = (0..5)
        .map(|i| (f64::from(i), if i == 2 { f64::NAN } else { 1.0 }))
        .collect();
    let svg = simple(points);
    assert!(svg.contains("1 value not finite"), "{svg}");
    let path = svg
        .split("line c0\" d=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(path.matches('M').count(), 2, "{path}");
    assert_eq!(path.matches('L').count(), 2, "{path}");
}

#[test]
fn the_corners_of_the_data_are_the_corners_of_the_plot() {
    let canvas = Canvas {
        x: Axis::new("x").range(0.0, 1.0),
        y: Axis::new("y").range(0.0, 1.0),
        ..canvas()
    };
    let diagonal = Series::new("", Tone::LIKE, vec![(0.0, 0.0), (1.0, 1.0)]);
    let svg = line(&canvas, &[diagonal], &[]);
    // Ticks are "0.0" to "1.0": 3 letters, so the plot starts at 3 · 6.6 + 10.
    assert!(svg.contains("d=\"M29.8 192L348 30\""), "{svg}");
}

#[test]
fn lines_that_end_together_are_named_apart() {
    let series: Vec<Series> = (0..3)
        .map(|i| {
            Series::new(
                ["a", "b", "c"][i],
                Tone::Colour(i),
                vec![(0.0, i as f64), (1.0, 9.0)],
            )
        })
        .collect();
    let svg = line(&canvas(), &series, &[]);
    let mut heights: Vec<f64> = svg
        .split("<text class=\"series-name")
        .skip(1)
        .map(|text| {
            text.split(" y=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    heights.sort_by(f64::total_cmp);
    assert_eq!(heights.len(), 3);
    assert!(
        heights.windows(2).all(|two| two[1] - two[0] >= 12.0),
        "{heights:?}"
    );
}

#[test]
fn every_confusion_is_one_cell_in_its_column_and_row() {
    let cell = |row, column, share, count| HeatCell {
        row,
        column,
        share,
        count,
    };
    let map = HeatMap {
        title: "heat".into(),
        cells: vec![
            cell(0, 0, 1.0, 12),
            cell(1, 1, 0.5, 1),
            cell(1, 2, 0.01, 1),
            cell(2, 2, f64::NAN, 0),
            cell(0, 7, 1.0, 99),
        ],
        names: ["x", "y", "z"].map(String::from).to_vec(),
        groups: vec![],
        row_label: "true".into(),
        column_label: "called".into(),
    };
    let svg = heat_map(&map);
    assert_eq!(svg.matches("h1v1h-1z").count(), 3);
    assert!(svg.contains("M2 1h1v1h-1z"), "row 1, column 2: {svg}");
    assert!(
        svg.contains(">12</text>") && !svg.contains(">99</text>"),
        "{svg}"
    );
}

#[test]
fn a_name_on_a_map_has_room_of_its_own() {
    let point = |at: usize| MapPoint {
        x: (at % 20) as f64,
        y: (at / 20) as f64,
        class: 0,
    };
    let map = ScatterMap {
        title: "map".into(),
        points: (0..300).map(point).collect(),
        classes: vec!["a class with a name".into()],
    };
    let svg = scatter_map(&map, |_| {
        Some(Picture {
            address: "data:,".into(),
            aspect: 1.0,
        })
    });
    let value = |tag: &str, name: &str| -> f64 {
        let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let name = svg.split("<text class=\"class-name").nth(1).unwrap();
    let (x, y) = (value(name, "x"), value(name, "y") - 4.0);
    let half = frame::text_width("a class with a name") / 2.0;
    for image in svg.split("<image").skip(1) {
        let (left, top) = (value(image, "x"), value(image, "y"));
        let (right, bottom) = (left + value(image, "width"), top + value(image, "height"));
        let beside = right < x - half || left > x + half;
        assert!(beside || bottom < y - 4.0 || top > y + 4.0, "{image}");
    }
}

#[test]
fn pictures_on_a_map_do_not_overlap() {
    let point = |at: usize| MapPoint {
        x: (at % 10) as f64 * 1e-3,
        y: (at / 10) as f64,
        class: 0,
    };
    let map = ScatterMap {
        title: "map".into(),
        points: (0..100).map(point).collect(),
        classes: vec![],
    };
    let svg = scatter_map(&map, |_| {
        Some(Picture {
            address: "data:,".into(),
            aspect: 1.0,
        })
    });
    let mut corners: Vec<&str> = svg
        .split("<image ")
        .skip(1)
        .map(|image| image.split("width").next().unwrap())
        .collect();
    let all = corners.len();
    corners.sort_unstable();
    corners.dedup();
    assert!(
        all == corners.len() && (10..100).contains(&all),
        "{all} pictures"
    );
}
