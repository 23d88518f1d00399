//! Reads an embedder that anybody wrote as ONNX, and runs it.

use std::path::{Path, PathBuf};

use prost::Message;
use rten::{Dimension, NodeId, Value, ValueType};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use siamese_core::{Distance, Fit, ImageInput};

use crate::error::{Error, Result};
use crate::proto::StringStringEntryProto;

/// What is told of a file's pictures where the file does not say it, or is to be overruled.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Height and width.
    pub size: Option<(usize, usize)>,
    /// Mean and standard deviation of each channel, of values in 0..=1.
    pub normalization: Option<(Vec<f32>, Vec<f32>)>,
    /// The distance between its embeddings.
    pub distance: Option<Distance>,
}

/// An embedder in ONNX: one input of pictures, one output of a row for each.
///
/// Pictures may be `(batch, channels, height, width)` or `(batch, height, width, channels)`, of bytes or of numbers; the batch
/// may be a fixed number.
///
/// ```no_run
/// use siamese_onnx::{OnnxEmbedder, Told};
///
/// let embedder = OnnxEmbedder::load("theirs.onnx", Told::default())?;
/// let input = embedder.input();
/// let grey = vec![128; input.image_len()];
/// let embedding = embedder.embed(&grey)?;
/// println!("{} numbers of a picture of {}x{}", embedding.len(), input.height, input.width);
/// # Ok::<(), siamese_onnx::Error>(())
/// ```
pub struct OnnxEmbedder {
    path: PathBuf,
    onnx: rten::Model,
    takes: Takes,
    output: NodeId,
    input: ImageInput,
    distance: Distance,
    assumed: Vec<String>,
}

/// How the graph takes pictures.
struct Takes {
    input: NodeId,
    /// Whether the numbers of a channel are side by side.
    planes: bool,
    /// Whether it takes bytes, and does the rest itself.
    bytes: bool,
    batch: Option<usize>,
}

impl OnnxEmbedder {
    /// Reads the file; what it does not say and nobody told is assumed, see [`Self::assumed`].
    ///
    /// # Errors
    /// When it cannot be read, is no ONNX, has an operator that is not known here, takes or gives something else than
    /// pictures and rows, or leaves the size of its pictures open and none was told.
    pub fn load(path: impl AsRef<Path>, told: Told) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let refused = |why: String| Error::Read {
            path: path.clone(),
            why,
        };
        let bytes = siamese_files::read_regular(&path).map_err(|e| refused(e.to_string()))?;
        let beside = Beside::decode(bytes.as_slice())
            .map_err(|_| refused("it is no ONNX, or damaged".into()))?;
        let onnx = rten::Model::load(bytes).map_err(|e| refused(e.to_string()))?;
        let mut assumed = Vec::new();
        let (takes, input) = pictures(&onnx, &beside, &told, &mut assumed).map_err(refused)?;
        let output = output(&onnx).map_err(refused)?;
        let distance = distance(&beside, &told, &mut assumed).map_err(refused)?;
        Ok(Self {
            path: path.clone(),
            onnx,
            takes,
            output,
            input,
            distance,
            assumed,
        })
    }

    /// Size and normalisation of the pictures that it takes.
    pub fn input(&self) -> &ImageInput {
        &self.input
    }

    /// The distance between its embeddings.
    pub fn distance(&self) -> Distance {
        self.distance
    }

    /// What was assumed, a sentence each, since neither the file nor the caller said it.
    pub fn assumed(&self) -> &[String] {
        &self.assumed
    }

    /// The embeddings of pictures, row after row: each `height · width · channels` bytes with the channels of a pixel side by
    /// side.
    ///
    /// # Errors
    /// When the bytes are no whole pictures, the graph cannot be run, or gives no finite row for each picture.
    pub fn embed(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        let len = self.input.image_len();
        if pixels.is_empty() || !pixels.len().is_multiple_of(len) {
            let why = format!("{} bytes are no pictures of {len}", pixels.len());
            return Err(self.refused(why));
        }
        let Some(batch) = self.takes.batch else {
            return self.run(pixels, pixels.len() / len);
        };
        let mut rows = Vec::new();
        for some in pixels.chunks(batch * len) {
            // a fixed batch is filled up, and what was filled is left out of the rows
            let count = some.len() / len;
            let mut filled = some.to_vec();
            while filled.len() < batch * len {
                filled.extend_from_within(..len);
            }
            let found = self.run(&filled, batch)?;
            let dim = found.len() / batch;
            rows.extend_from_slice(&found[..count * dim]);
        }
        Ok(rows)
    }

    fn run(&self, pixels: &[u8], count: usize) -> Result<Vec<f32>> {
        let value = self.value(pixels, count);
        let inputs = vec![(self.takes.input, value.into())];
        let outputs = self.onnx.run(inputs, &[self.output], None);
        let outputs = outputs.map_err(|error| self.refused(error.to_string()))?;
        let shape = |value: &Value| value.shape().to_vec();
        let Some(value) = outputs.into_iter().next() else {
            return Err(self.refused("it gives nothing".into()));
        };
        let found = shape(&value);
        let one_row_each = found.first() == Some(&count)
            && found.len() >= 2
            && found[2..].iter().all(|&length| length == 1)
            && found[1] > 0;
        if !one_row_each {
            let why =
                format!("for {count} pictures it gives {found:?}, not a row of numbers for each");
            return Err(self.refused(why));
        }
        let rows: rten_tensor::Tensor<f32> = value
            .try_into()
            .map_err(|_| self.refused("its output is not of 32-bit numbers".into()))?;
        let rows: Vec<f32> = rows.iter().copied().collect();
        match rows.iter().all(|value| value.is_finite()) {
            true => Ok(rows),
            false => Err(self.refused(
                "an embedding is not finite: are the pictures as it takes them (--pixels)?".into(),
            )),
        }
    }

    /// The pictures as the graph takes them.
    fn value(&self, pixels: &[u8], count: usize) -> Value {
        let input = &self.input;
        let (height, width, channels) = (input.height, input.width, input.channels());
        let shape = match self.takes.planes {
            true => [count, channels, height, width],
            false => [count, height, width, channels],
        };
        let place = |index: [usize; 4]| -> (usize, usize) {
            let [n, y, x, c] = match self.takes.planes {
                true => [index[0], index[2], index[3], index[1]],
                false => index,
            };
            (((n * height + y) * width + x) * channels + c, c)
        };
        if self.takes.bytes {
            return NdTensor::from_fn(shape, |index| pixels[place(index).0]).into();
        }
        NdTensor::from_fn(shape, |index| {
            let (at, channel) = place(index);
            (f32::from(pixels[at]) / 255.0 - input.mean[channel]) / input.std[channel]
        })
        .into()
    }

    fn refused(&self, why: String) -> Error {
        Error::Read {
            path: self.path.clone(),
            why,
        }
    }
}

/// What stands beside a graph; the graph itself is passed over.
#[derive(Clone, PartialEq, prost::Message)]
struct Beside {
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<StringStringEntryProto>,
}

impl Beside {
    fn get(&self, key: &str) -> Option<&str> {
        let found = self.metadata_props.iter().find(|entry| entry.key == key);
        found.map(|entry| entry.value.as_str())
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.get(key)?.parse().ok()
    }
}

/// A shape as people write it.
fn shown(shape: &[Dimension]) -> String {
    let length = |dimension: &Dimension| match dimension {
        Dimension::Fixed(length) => length.to_string(),
        Dimension::Symbolic(name) => name.clone(),
    };
    let lengths: Vec<String> = shape.iter().map(length).collect();
    format!("({})", lengths.join(", "))
}

fn fixed(dimension: &Dimension) -> Option<usize> {
    match dimension {
        Dimension::Fixed(length) => Some(*length),
        Dimension::Symbolic(_) => None,
    }
}

type Found<T> = std::result::Result<T, String>;

/// The one input of pictures, and what they are like.
fn pictures(
    onnx: &rten::Model,
    beside: &Beside,
    told: &Told,
    assumed: &mut Vec<String>,
) -> Found<(Takes, ImageInput)> {
    let [input] = onnx.input_ids() else {
        let count = onnx.input_ids().len();
        return Err(format!(
            "it has {count} inputs; an embedder takes pictures alone"
        ));
    };
    let info = onnx.node_info(*input);
    let shape = info.as_ref().and_then(rten::NodeInfo::shape);
    let shape = shape.unwrap_or_default();
    let [batch, second, third, fourth] = shape.as_slice() else {
        return Err(format!(
            "its input is {}; an embedder takes (batch, channels, height, width) or (batch, height, width, channels)",
            shown(&shape)
        ));
    };
    let is_channels = |dimension: &Dimension| matches!(fixed(dimension), Some(1 | 3));
    let planes = is_channels(second) || !is_channels(fourth);
    let (channels, height, width) = match planes {
        true => (second, third, fourth),
        false => (fourth, second, third),
    };
    let channels = fixed(channels).unwrap_or(3);
    if !matches!(channels, 1 | 3) {
        return Err(format!(
            "its input is {}; pictures have 1 or 3 channels",
            shown(&shape)
        ));
    }
    let own = (fixed(height), fixed(width));
    let said = (
        own.0.or(beside.number("siamese.height")),
        own.1.or(beside.number("siamese.width")),
    );
    let (height, width) = match (told.size, said) {
        (Some(size), (height, width))
            if height.is_some_and(|h| h != size.0) || width.is_some_and(|w| w != size.1) =>
        {
            return Err(format!(
                "it takes pictures of {}, not of {}x{}",
                shown(&shape),
                size.0,
                size.1
            ));
        }
        (Some(size), _) => size,
        (None, (Some(height), Some(width))) => (height, width),
        (None, _) => {
            return Err(format!(
                "its input {} leaves the size of pictures open: tell it by --size HEIGHTxWIDTH",
                shown(&shape)
            ));
        }
    };
    let bytes = match info.as_ref().and_then(rten::NodeInfo::dtype) {
        Some(ValueType::Tensor(rten::DataType::UInt8)) => true,
        None | Some(ValueType::Tensor(rten::DataType::Float)) => false,
        Some(other) => {
            return Err(format!(
                "its input is of {other:?}; give bytes or 32-bit numbers"
            ));
        }
    };
    let takes = Takes {
        input: *input,
        planes,
        bytes,
        batch: fixed(batch),
    };
    let (mean, std) = normalization(told, (bytes, channels), assumed)?;
    let fit = beside.get("siamese.fit").map(|fit| format!("{fit:?}"));
    let fit: Option<Fit> = fit.and_then(|fit| serde_json::from_str(&fit).ok());
    Ok((
        takes,
        ImageInput {
            height,
            width,
            mean,
            std,
            fit: fit.unwrap_or_default(),
        },
    ))
}

/// Mean and deviation of each channel.
fn normalization(
    told: &Told,
    (bytes, channels): (bool, usize),
    assumed: &mut Vec<String>,
) -> Found<(Vec<f32>, Vec<f32>)> {
    match &told.normalization {
        Some(_) if bytes => {
            Err("it takes bytes, and normalises them itself: leave --pixels out".into())
        }
        Some((mean, std)) => {
            let spread = |of: &[f32]| match of {
                [one] => Some(vec![*one; channels]),
                all => (all.len() == channels).then(|| all.to_vec()),
            };
            spread(mean).zip(spread(std)).ok_or_else(|| {
                format!("its pictures have {channels} channels: tell as many means and deviations, or one")
            })
        }
        None if bytes => Ok((vec![0.0; channels], vec![1.0; channels])),
        None => {
            let imagenet = ImageInput::imagenet();
            let of = |all: &[f32]| match channels {
                3 => all.to_vec(),
                _ => vec![all.iter().sum::<f32>() / all.len() as f32; channels],
            };
            assumed.push("its pictures are normalised by ImageNet's mean and deviation (--pixels tells otherwise)".into());
            Ok((of(&imagenet.mean), of(&imagenet.std)))
        }
    }
}

/// The output with a row for each picture: the only one, or the first of two dimensions.
fn output(onnx: &rten::Model) -> Found<NodeId> {
    let outputs = onnx.output_ids();
    if let [only] = outputs {
        return Ok(*only);
    }
    let shape = |id: &NodeId| onnx.node_info(*id).and_then(|info| info.shape());
    let rows = outputs
        .iter()
        .find(|id| shape(id).is_some_and(|shape| shape.len() == 2));
    rows.copied().ok_or_else(|| {
        let shapes: Vec<String> = outputs
            .iter()
            .map(|id| shape(id).map_or("unknown".into(), |shape| shown(&shape)))
            .collect();
        format!(
            "none of its {} outputs is (batch, numbers): {}",
            outputs.len(),
            shapes.join(", ")
        )
    })
}

fn distance(beside: &Beside, told: &Told, assumed: &mut Vec<String>) -> Found<Distance> {
    if let Some(distance) = told.distance {
        return Ok(distance);
    }
    match beside.get("siamese.distance") {
        Some("learned") => Err(
            "its embeddings are compared by a head that was learned, which is another file: judge the model itself, or \
             tell a distance by --distance"
                .into(),
        ),
        Some(name) => serde_json::from_str(&format!("{name:?}"))
            .map_err(|_| format!("its distance {name:?} is not known here: tell one by --distance")),
        None => {
            assumed.push("its embeddings are compared by cosine distance (--distance tells otherwise)".into());
            Ok(Distance::Cosine)
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
