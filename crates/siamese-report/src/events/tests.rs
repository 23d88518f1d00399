//! Tests of event files.

use super::*;

const WALL_TIME: f64 = 1_700_000_000.5;

/// What TensorBoard's own writer makes of [`one_of_each`] (tensorboard 2.21.0, protobuf 7.36.2):
///
/// ```python
/// import io
/// from tensorboard.compat.proto import event_pb2, summary_pb2
/// from tensorboard.summary.writer.record_writer import RecordWriter
///
/// def event(step, **what):
///     return event_pb2.Event(wall_time=1700000000.5, step=step, **what)
///
/// def value(**value):
///     return summary_pb2.Summary(value=[summary_pb2.Summary.Value(**value)])
///
/// histo = summary_pb2.HistogramProto(min=0, max=2, num=3, sum=2.5, sum_squares=4.25,
///                                    bucket_limit=[1, 2], bucket=[2, 1])
/// image = summary_pb2.Summary.Image(height=1, width=2, colorspace=3, encoded_image_string=b"PNG")
/// events = [
///     event(0, file_version="brain.Event:2"),
///     event(3, summary=value(tag="loss/train", simple_value=0.25)),
///     event(300, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)),
///     event(300, summary=value(tag="distance", histo=histo)),
///     event(301, summary=value(tag="pair", image=image)),
/// ]
/// file = io.BytesIO()
/// writer = RecordWriter(file)
/// for e in events:
///     writer.write(e.SerializeToString())
/// print(file.getvalue().hex())
/// ```
const GOLDEN: &str = "\
    1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b35311020000000\
    0000000029eda9500900002040fc54d94110032a130a110a0a6c6f73732f747261696e150000803ef9e722c0\
    100000000000000095fbfe180900002040fc54d94110ac023a020801b94512a36400000000000000435f1cdf\
    0900002040fc54d94110ac022a560a540a0864697374616e63652a4811000000000000004019000000000000\
    08402100000000000004402900000000000011403210000000000000f03f00000000000000403a1000000000\
    00000040000000000000f03fd8fdf25c2300000000000000b09f77430900002040fc54d94110ad022a150a13\
    0a0470616972220b0801100218032203504e47de03b756";

fn one_of_each() -> Vec<u8> {
    let histogram = proto::histogram("distance", &[0.0, 0.5, 2.0, f32::NAN], 2);
    let events = [
        (0, What::FileVersion),
        (3, What::Value(proto::scalar("loss/train", 0.25))),
        (300, What::SessionStart),
        (300, What::Value(histogram)),
        (301, What::Value(proto::image("pair", [1, 2, 3], b"PNG"))),
    ];
    let frame = |(step, what)| record::frame(&proto::event(WALL_TIME, step, what));
    events.into_iter().flat_map(frame).collect()
}

#[test]
fn bytes_are_those_of_tensorboards_own_writer() {
    let hex: String = one_of_each()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, GOLDEN);
}

#[test]
fn a_resumed_run_gets_a_new_file_that_sorts_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = EventWriter::create(folder.path()).unwrap();
    first.scalar("loss", 1, 1.0).unwrap();
    first.flush().unwrap();
    let before = std::fs::read(first.path()).unwrap();
    let second = EventWriter::resume(folder.path(), 1).unwrap();
    assert!(
        second.path() > first.path(),
        "{:?} {:?}",
        second.path(),
        first.path()
    );
    assert_eq!(std::fs::read(first.path()).unwrap(), before);
}

/// The steps of the events in a file, each record checked.
fn steps(path: &Path) -> Vec<i64> {
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut steps) = (bytes.as_slice(), Vec::new());
    while let Some((event, after)) = record::first(rest) {
        steps.push(proto::step(event).unwrap());
        rest = after;
    }
    assert!(rest.is_empty(), "{} bytes are no record", rest.len());
    steps
}

#[test]
fn a_resumed_run_cuts_what_older_files_say_of_later_steps_wherever_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = EventWriter::create(folder.path()).unwrap();
    for step in [1, 200, 200, 300, 40_000] {
        first.scalar("loss", step, 1.0).unwrap();
    }
    first.flush().unwrap();
    let whole = std::fs::read(first.path()).unwrap();
    for end in 0..=whole.len() {
        std::fs::write(first.path(), &whole[..end]).unwrap();
        let second = EventWriter::resume(folder.path(), 200).unwrap();
        let left = steps(first.path());
        assert!([0, 1, 200, 200].starts_with(&left), "{end}: {left:?}");
        assert_eq!(steps(second.path()), [0, 201]);
        std::fs::remove_file(second.path()).unwrap();
    }
    assert_eq!(steps(first.path()), [0, 1, 200, 200]);
}

#[test]
fn a_flushed_epoch_is_on_disk_while_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path().join("made/on/the/way")).unwrap();
    let length = |events: &EventWriter| std::fs::metadata(events.path()).unwrap().len();
    let empty = length(&events);
    events.scalar("loss", 1, f32::NAN).unwrap();
    events.histogram("none", 1, &[]).unwrap();
    events.histogram("constant", 1, &[2.0; 5]).unwrap();
    events.flush().unwrap();
    assert!(length(&events) > empty + 3 * 16);
    let name = events
        .path()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(name.starts_with("events.out.tfevents."), "{name}");
}

#[test]
fn a_picture_whose_pixels_do_not_fit_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    let broken = Thumbnail {
        width: 2,
        height: 2,
        channels: 3,
        pixels: vec![0; 5],
    };
    assert!(events.image("pair", 1, &broken).is_err());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
}
