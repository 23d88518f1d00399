//! Damage: bits, cuts, splices, lengths that claim too much.

/// Numbers that are the same each time (SplitMix64, Steele et al. 2014).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// What lengths, counts and sides are set to.
const VALUES: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    60_000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// The same where numbers are written in digits.
const DIGITS: [&str; 8] = [
    "0",
    "-1",
    "3000000000",
    "1e308",
    "99999999999999999999",
    "nan",
    "1000000000",
    "18446744073709551615",
];

/// A mutation or a few of `seed`; `other` is spliced in.
pub(crate) fn mutated(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + numbers.below(4) {
        once(&mut bytes, other, numbers);
    }
    bytes
}

fn once(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    if bytes.is_empty() {
        bytes.push(numbers.next() as u8);
    }
    let at = place(bytes.len(), numbers);
    match numbers.below(12) {
        0 | 1 => bytes[at] ^= 1 << numbers.below(8),
        2 => bytes[at] = numbers.next() as u8,
        3 => bytes.truncate(at),
        4..=6 => field(bytes, at, numbers),
        7 => number(bytes, at, numbers),
        8 => {
            let length = numbers.below(64.min(bytes.len() - at));
            bytes.drain(at..at + length);
        }
        9 => {
            let length = 1 + numbers.below(64.min(bytes.len() - at));
            let again = bytes[at..at + length].repeat(1 + numbers.below(4));
            bytes.splice(at..at, again);
        }
        10 => {
            let from = numbers.below(other.len());
            let length = numbers.below((other.len() - from).min(4096));
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, other[from..from + length].iter().copied());
        }
        _ => {
            let value = numbers.of(&[0, 0xff, b'"', b'\n', 0x80]);
            let end = (at + 1 + numbers.below(32)).min(bytes.len());
            bytes[at..end].fill(value);
        }
    }
}

/// Headers and tables of contents are at either end.
fn place(length: usize, numbers: &mut Numbers) -> usize {
    let near = numbers.below(length.min(96));
    match numbers.below(3) {
        0 => near,
        1 => length - 1 - near,
        _ => numbers.below(length),
    }
}

/// A number of one to eight bytes, in either order.
fn field(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let width = numbers.of(&[1, 2, 4, 8]);
    let value = numbers.of(&VALUES);
    let mut number = value.to_le_bytes()[..width].to_vec();
    if numbers.below(2) == 0 {
        number.reverse();
    }
    let end = (at + width).min(bytes.len());
    bytes[at..end].copy_from_slice(&number[..end - at]);
}

/// The next number in digits, replaced.
fn number(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = at + start;
    let end = bytes[start..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(bytes.len(), |length| start + length);
    bytes.splice(start..end, numbers.of(&DIGITS).bytes());
}
