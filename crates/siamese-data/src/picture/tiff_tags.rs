//! What the first directory of a TIFF file says: cameras' raw files are TIFF by their first bytes.

/// NewSubfileType: the first picture is a preview of another.
const SUBFILE: u16 = 254;
const PHOTOMETRIC: u16 = 262;
/// A sensor's colour filter, and linear raw values.
const RAW_VALUES: [u32; 2] = [32_803, 34_892];
const DNG_VERSION: u16 = 50_706;

/// Whether a TIFF's first directory, as far as it is among `bytes`, is that of a camera's raw file (DNG, NEF, ARW):
/// all that is read of it would be its preview.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    let big = bytes.starts_with(b"MM");
    let number = |place: usize, length: usize| -> Option<u32> {
        let digits = bytes.get(place..place.checked_add(length)?)?;
        let join = |number: u32, digit: &u8| number << 8 | u32::from(*digit);
        Some(match big {
            true => digits.iter().fold(0, join),
            false => digits.iter().rev().fold(0, join),
        })
    };
    let Some((start, count)) = number(4, 4)
        .map(|start| start as usize)
        .and_then(|start| Some((start, number(start, 2)?)))
    else {
        return false;
    };
    let entry = |i: u32| {
        let place = start + 2 + 12 * i as usize;
        let (tag, kind) = (number(place, 2)? as u16, number(place + 2, 2)?);
        // a SHORT lies in the first two of the value's four bytes
        Some((tag, number(place + 8, if kind == 3 { 2 } else { 4 })?))
    };
    (0..count).map_while(entry).any(|(tag, value)| match tag {
        SUBFILE => value & 1 == 1,
        PHOTOMETRIC => RAW_VALUES.contains(&value),
        DNG_VERSION => true,
        _ => false,
    })
}
