//! TFRecord framing: length, masked CRC of the length, data, masked CRC of the data.

/// Frames one record (<https://www.tensorflow.org/tutorials/load_data/tfrecord>).
pub(super) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(data.len() + 16);
    bytes.extend(length);
    bytes.extend(masked_crc(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked_crc(data).to_le_bytes());
    bytes
}

/// The first record of `bytes` and what follows it; `None` where there is none that is whole.
pub(super) fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let rest = checked(length, rest)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (data, rest) = rest.split_at_checked(length)?;
    Some((data, checked(data, rest)?))
}

/// What follows the check of `data`, where that is right.
fn checked<'a>(data: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let (check, rest) = rest.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*check) == masked_crc(data)).then_some(rest)
}

/// CRC-32C, rotated and offset so that a record of records does not hold its own check.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}
