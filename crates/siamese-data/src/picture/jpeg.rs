//! Whether a JPEG file ends before its picture does: the decoder fills what is missing with grey.

const START_OF_IMAGE: [u8; 3] = [0xFF, 0xD8, 0xFF];
const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;

/// Whether these are the bytes of a JPEG without an end; `false` for pictures of other kinds.
pub(super) fn is_cut(bytes: &[u8]) -> bool {
    bytes.starts_with(&START_OF_IMAGE) && !has_end(bytes)
}

/// Walks from marker to marker (ITU-T T.81, B.1.1): the bytes `FF D9` mean nothing in between, as
/// in the preview that a camera embeds.
fn has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        if first != 0xFF {
            at += 1; // a stray byte between segments
            continue;
        }
        at += 2;
        match marker {
            END_OF_IMAGE => return true,
            // A byte of padding before a marker, or a marker that stands alone.
            0xFF => at -= 1,
            0x00 | 0x01 | 0xD0..=0xD7 => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([high, low]));
            }
        }
        if marker == START_OF_SCAN {
            at = after_scan(bytes, at);
        }
    }
    false
}

/// The first marker at or after `at` that ends compressed data: neither `FF 00` nor a restart.
fn after_scan(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let ends = |two: &[u8]| two[0] == 0xFF && !matches!(two[1], 0x00 | 0xD0..=0xD7 | 0xFF);
    let length = rest.windows(2).position(ends);
    at + length.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..40 * 30 * 3).map(|i| (i * i / 7) as u8).collect();
        JpegEncoder::new(&mut bytes)
            .encode(&pixels, 40, 30, ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    #[test]
    fn a_jpeg_is_whole_at_its_end_only() {
        let whole = jpeg();
        assert!(!is_cut(&whole));
        for length in 3..whole.len() {
            assert!(!has_end(&whole[..length]), "{length} of {}", whole.len());
        }
    }

    #[test]
    fn what_a_camera_embeds_or_appends_changes_nothing() {
        let whole = jpeg();
        // An APP1 segment that holds a whole preview.
        let mut with_preview = whole[..2].to_vec();
        with_preview.extend([0xFF, 0xE1]);
        with_preview.extend((whole.len() as u16 + 2).to_be_bytes());
        with_preview.extend(&whole);
        let body = with_preview.len();
        with_preview.extend(&whole[2..]);
        assert!(!is_cut(&with_preview));
        assert!(
            is_cut(&with_preview[..body + 40]),
            "the preview's end is not the picture's"
        );
        assert!(!is_cut(&[whole, vec![0; 100]].concat()));
    }

    #[test]
    fn files_of_other_kinds_are_not_cut_jpegs() {
        assert!(!is_cut(b""));
        assert!(!is_cut(b"P5 2 3 255 abcdef"));
    }
}
