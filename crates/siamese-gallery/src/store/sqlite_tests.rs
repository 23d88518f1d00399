//! What the embedded store says when it cannot write: nothing that was acknowledged is lost.

use siamese_core::metrics::Distance;

use super::*;
use crate::about::ModelAbout;

fn made(folder: &Path) -> Sqlite {
    let model = ModelAbout {
        place: "runs/a".into(),
        fingerprint: "a".into(),
        dim: 1,
        distance: Distance::Euclidean,
        head: None,
        whole: None,
        threshold: None,
        calibration: None,
        unlike: None,
    };
    let version = "test".into();
    let about = About {
        format: FORMAT,
        model,
        version,
    };
    Sqlite::create(folder, &about).unwrap()
}

fn entry(number: usize) -> Entry {
    Entry {
        name: number.to_string(),
        hash: Some(number.to_string()),
        thumbnail: Some(vec![7; 40_000]),
        embedding: vec![number as f32],
        ..Entry::default()
    }
}

fn count(store: &mut Sqlite) -> usize {
    store.classes().unwrap().values().sum()
}

#[test]
fn a_full_disk_is_a_sentence_and_what_was_acknowledged_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = made(folder.path());
    // as a disk of so many pages
    let limit = store.connection.pragma_update(None, "max_page_count", 200);
    limit.unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.add(&[entry(2 * acknowledged), entry(2 * acknowledged + 1)]) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("the disk is full"), "{error}");
    assert!(acknowledged > 1);
    let mut again = Sqlite::open(folder.path()).unwrap();
    assert_eq!(count(&mut again), 2 * acknowledged);
    assert_eq!(again.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_gallery_that_cannot_be_written_says_so_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = made(folder.path());
    store.add(&[entry(1)]).unwrap();
    store
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    let error = store.add(&[entry(2)]).unwrap_err().to_string();
    assert!(error.contains("read-only"), "{error}");
    assert_eq!(count(&mut store), 1);
}

#[test]
fn a_second_writer_is_told_who_is_in_its_way_and_goes_on_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = made(folder.path());
    store
        .connection
        .busy_timeout(Duration::from_millis(20))
        .unwrap();
    let other = Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.add(&[entry(1)]).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert_eq!(count(&mut store), 0, "readers are not in the way");
    other.execute_batch("COMMIT").unwrap();
    store.add(&[entry(1)]).unwrap();
    assert_eq!(count(&mut store), 1);
}

#[test]
fn what_is_no_database_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), [b'x'; 5000]).unwrap();
    let error = Sqlite::open(folder.path()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no SQLite database"), "{error}");
}
