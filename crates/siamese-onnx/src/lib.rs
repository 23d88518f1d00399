//! Writes a trained model as ONNX, preprocessing and normalisation in the graph.

#![doc = include_str!("../README.md")]

mod error;
mod graph;
mod head;
mod metadata;
mod proto;
#[cfg(feature = "read")]
mod quantize;
#[cfg(feature = "read")]
mod read;
mod tower;

use std::path::Path;

use prost::Message;
use siamese_core::Model;

pub use error::{Error, Result};
use proto::{GraphProto, IR_VERSION, ModelProto, OPSET, OperatorSetIdProto};
#[cfg(feature = "read")]
pub use quantize::export_int8;
#[cfg(feature = "read")]
pub use read::{OnnxEmbedder, Told};

/// Protocol buffers end here.
const MOST: usize = i32::MAX as usize;

/// Writes the model's tower as ONNX to `path`, whole or not at all.
///
/// # Errors
/// Weights that cannot be read, 2 GiB of them or more, or a file that cannot be written.
pub fn export(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    write_onnx(onnx_of(tower::graph(&model.tower)?, model)?, path.as_ref())
}

/// Writes what compares two of the model's embeddings as ONNX, inputs `a` and `b`, output `distance`; false where that
/// is a plain distance, for which there is nothing to write.
///
/// # Errors
/// As [`export`].
pub fn export_head(model: &Model, path: impl AsRef<Path>) -> Result<bool> {
    let Some(head) = &model.head else {
        return Ok(false);
    };
    write_onnx(
        onnx_of(head::graph(&head.comparison()?), model)?,
        path.as_ref(),
    )?;
    Ok(true)
}

/// A graph with all that stands beside it.
fn onnx_of(graph: GraphProto, model: &Model) -> Result<ModelProto> {
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "siamese".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: model.provenance.trained_on.clone(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        metadata_props: metadata::of(model)?,
    })
}

fn write_onnx(onnx: ModelProto, path: &Path) -> Result<()> {
    let bytes = onnx.encoded_len();
    if bytes > MOST {
        return Err(Error::TooLarge(bytes));
    }
    let written = siamese_files::write_bytes(path, &onnx.encode_to_vec());
    written.map_err(|source| Error::Write {
        path: path.to_path_buf(),
        source,
    })
}
