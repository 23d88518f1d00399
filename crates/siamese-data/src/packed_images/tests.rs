//! The cache of decoded sets: what is kept, what is noticed, what is never left behind.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::image_set::ImageSet;
use crate::picture::{Colour, Fit};

const FRAMING: Framing = Framing {
    height: 2,
    width: 3,
    colour: Colour::Grey,
    fit: Fit::Crop,
};
const COUNT: usize = 2500;

/// Everything in memory, or everything on disk.
fn options(memory: u64) -> PackOptions {
    PackOptions {
        progress: Progress::Silent,
        memory,
    }
}

fn image(i: usize) -> Vec<u8> {
    (0..6).map(|at| (i * 7 + at) as u8).collect()
}

/// Packs a set whose every tenth picture cannot be read; also how many were decoded for it.
fn pack(folder: &Path, fingerprint: &str, options: &PackOptions) -> (PackedImages, usize) {
    let filled = AtomicUsize::new(0);
    let key = PackedKey {
        name: "a/set",
        fingerprint,
    };
    let packed = packed_images(folder, key, COUNT, &FRAMING, options, |i| {
        filled.fetch_add(1, Ordering::SeqCst);
        Ok(match i % 10 {
            3 => Filled::LeftOut(format!("{i} is cut")),
            _ => Filled::Pixels(image(i)),
        })
    });
    (packed.unwrap(), filled.into_inner())
}

fn assert_right(packed: &PackedImages) {
    assert_eq!((packed.kept.len(), packed.left_out.len()), (2250, 250));
    assert_eq!(packed.left_out[1], (13, "13 is cut".into()));
    for (place, &i) in packed.kept.iter().enumerate() {
        assert_eq!(*packed.pixels.image(place, 6).unwrap(), image(i as usize));
    }
}

fn file_in(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].path()
}

#[test]
fn a_set_is_decoded_once_and_read_from_memory_or_disk() {
    for memory in [0, 1 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let (packed, filled) = pack(folder.path(), "a", &options(memory));
        assert_right(&packed);
        assert_eq!(filled, COUNT);
        for memory in [0, 1 << 20] {
            let (packed, filled) = pack(folder.path(), "a", &options(memory));
            assert_right(&packed);
            assert_eq!((filled, packed.pixels.is_on_disk()), (0, memory == 0));
        }
        let (_, filled) = pack(folder.path(), "changed", &options(memory));
        assert_eq!(filled, COUNT, "a changed source is decoded again");
        file_in(folder.path());
    }
}

#[test]
fn a_cut_or_changed_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let in_memory = options(1 << 20);
    pack(folder.path(), "a", &in_memory);
    let file = file_in(folder.path());
    let whole = fs::read(&file).unwrap();
    let mut changes: Vec<Vec<u8>> = [0, 10, 19, whole.len() - 1]
        .map(|length| whole[..length].to_vec())
        .into();
    for at in [
        0,
        8,
        20,
        16 + 2250 * 6 + 5,
        whole.len() - 60,
        whole.len() - 20,
        whole.len() - 12,
    ] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        changes.push(changed);
    }
    changes.push([&whole[..], b"more"].concat());
    for changed in changes {
        fs::write(&file, &changed).unwrap();
        let (packed, filled) = pack(folder.path(), "a", &in_memory);
        assert_eq!(filled, COUNT);
        assert_right(&packed);
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
}

#[test]
fn a_file_that_shrinks_or_changes_under_a_reader_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (packed, _) = pack(folder.path(), "a", &options(0));
    let labels = vec![0; packed.kept.len()];
    let set = ImageSet::from_store((2, 3, 1), packed.pixels, labels, vec!["a".into()]).unwrap();
    let subset = set.subset(&[2000]);
    assert_eq!(*subset.image(0).unwrap(), image(2222));

    let file = file_in(folder.path());
    let mut bytes = fs::read(&file).unwrap();
    bytes[16] ^= 1;
    fs::write(&file, &bytes[..16 + 100 * 6]).unwrap();
    let error = set.image(0).unwrap_err().to_string();
    assert!(
        error.contains("a-set-2x3-grey-crop.images is damaged: image 0"),
        "{error}"
    );
    assert!(set.image(1).is_ok());
    let error = subset.image(0).unwrap_err().to_string();
    assert!(
        error.contains("reading") && error.contains("a-set-"),
        "{error}"
    );
    let mut out = [0; 6];
    assert!(set.copy_image(2, &mut out).is_ok() && set.copy_image(200, &mut out).is_err());
}

#[test]
fn a_failure_leaves_no_file_and_no_partial_one() {
    let folder = tempfile::tempdir().unwrap();
    let key = PackedKey {
        name: "set",
        fingerprint: "a",
    };
    for memory in [0, 1 << 20] {
        let fill = |i| match i {
            2000 => Err(DataError::Invalid("the archive is gone".into())),
            _ => Ok(Filled::Pixels(image(i))),
        };
        let failed = packed_images(folder.path(), key, COUNT, &FRAMING, &options(memory), fill);
        assert_eq!(failed.err().unwrap().to_string(), "the archive is gone");
        let odd = |_| Ok(Filled::Pixels(vec![0; 5]));
        let failed = packed_images(folder.path(), key, COUNT, &FRAMING, &options(memory), odd);
        assert!(
            failed
                .err()
                .unwrap()
                .to_string()
                .contains("5 bytes of pixels, expected 6")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_set_that_fits_into_memory_needs_no_cache() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, "no folder").unwrap();
    let (packed, _) = pack(&in_the_way, "a", &options(1 << 20));
    assert_right(&packed);
    let key = PackedKey {
        name: "set",
        fingerprint: "a",
    };
    let fill = |i| Ok(Filled::Pixels(image(i)));
    let failed = packed_images(&in_the_way, key, COUNT, &FRAMING, &options(0), fill);
    assert!(matches!(failed, Err(DataError::Io { .. })));
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_another_is_writing_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let [left, written] = [1, 2].map(|pid| folder.path().join(format!(".b.images.{pid}.partial")));
    for file in [&left, &written] {
        fs::write(file, "half").unwrap();
    }
    let writing = File::open(&written).unwrap();
    writing.lock().unwrap();
    pack(folder.path(), "a", &options(0));
    assert!(!left.exists() && written.exists());
}
