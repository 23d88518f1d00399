//! The few protobuf messages of an event file, encoded by hand.
//!
//! Field numbers are those of TensorFlow's `event.proto` and `summary.proto`.

/// A protobuf message under construction, field by field in the order of their numbers.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// An `int64`; 0 is what an absent field means.
    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        if value == 0 {
            return self;
        }
        self.key(field, VARINT);
        // A negative int64 is its two's complement in ten bytes.
        self.varint(value as u64);
        self
    }

    /// A `double`; 0 is what an absent field means.
    pub(super) fn double(mut self, field: u64, value: f64) -> Self {
        if value.to_bits() == 0 {
            return self;
        }
        self.key(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A `float` that is written even when 0, as members of a `oneof` are.
    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(super) fn packed_doubles(self, field: u64, values: &[f64]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.bytes(field, &bytes)
    }

    pub(super) fn message(self, field: u64, value: Message) -> Self {
        self.bytes(field, &value.0)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// What an event says.
pub(super) enum What {
    /// First record of a file.
    FileVersion,
    /// A run goes on from this step: later steps of older files are void.
    SessionStart,
    /// One summary value.
    Value(Message),
}

/// `Event { wall_time = 1, step = 2, file_version = 3 | summary = 5 | session_log = 7 }`.
pub(super) fn event(wall_time: f64, step: i64, what: What) -> Vec<u8> {
    let event = Message::default().double(1, wall_time).int(2, step);
    match what {
        What::FileVersion => event.bytes(3, b"brain.Event:2"),
        What::SessionStart => event.message(7, Message::default().int(1, 1)),
        What::Value(value) => event.message(5, Message::default().message(1, value)),
    }
    .into_bytes()
}

/// The step of an event; `None` where it is none.
pub(super) fn step(event: &[u8]) -> Option<i64> {
    let (mut rest, mut step) = (event, 0);
    while !rest.is_empty() {
        let (key, after) = varint(rest)?;
        let skip = match key & 7 {
            VARINT => {
                let (value, after) = varint(after)?;
                if key >> 3 == 2 {
                    step = value as i64;
                }
                rest = after;
                continue;
            }
            FIXED64 => 8,
            FIXED32 => 4,
            BYTES => {
                let (length, data) = varint(after)?;
                rest = data.get(usize::try_from(length).ok()?..)?;
                continue;
            }
            _ => return None,
        };
        rest = after.get(skip..)?;
    }
    Some(step)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// `Summary.Value { tag = 1, simple_value = 2 }`.
pub(super) fn scalar(tag: &str, value: f32) -> Message {
    Message::default().bytes(1, tag.as_bytes()).float(2, value)
}

/// `Summary.Value { tag = 1, image = 4 { height = 1, width = 2, colorspace = 3, png = 4 } }`.
pub(super) fn image(tag: &str, [height, width, channels]: [u32; 3], png: &[u8]) -> Message {
    let image = Message::default()
        .int(1, i64::from(height))
        .int(2, i64::from(width))
        .int(3, i64::from(channels))
        .bytes(4, png);
    Message::default()
        .bytes(1, tag.as_bytes())
        .message(4, image)
}

/// `Summary.Value { tag = 1, histo = 5 { min, max, num, sum, sum_squares, limits = 6, counts = 7 } }`.
pub(super) fn histogram(tag: &str, values: &[f32], buckets: usize) -> Message {
    let finite = || {
        values
            .iter()
            .map(|&value| f64::from(value))
            .filter(|value| value.is_finite())
    };
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    let width = (high - low) / buckets as f64;
    let mut limits: Vec<f64> = (1..=buckets).map(|i| low + width * i as f64).collect();
    if let Some(last) = limits.last_mut() {
        *last = high;
    }
    let mut counts = vec![0.0; buckets];
    for value in finite() {
        let bucket = if width > 0.0 {
            ((value - low) / width) as usize
        } else {
            buckets - 1
        };
        counts[bucket.min(buckets - 1)] += 1.0;
    }
    let histogram = Message::default()
        .double(1, low)
        .double(2, high)
        .double(3, counts.iter().sum())
        .double(4, finite().sum())
        .double(5, finite().map(|value| value * value).sum())
        .packed_doubles(6, &limits)
        .packed_doubles(7, &counts);
    Message::default()
        .bytes(1, tag.as_bytes())
        .message(5, histogram)
}
