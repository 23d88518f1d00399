//! A trained model as ONNX, for wherever it is deployed: all but the resizing is in the graph.
//!
//! [`export`] writes opset 17. The input `image` is bytes `(batch, height, width, channels)` of pictures that the caller
//! brought to the model's size; normalisation, the tower with its BatchNorms folded, and the embedding's length are in the
//! graph; the output is `embedding`, `(batch, D)`. What else its use needs stands in `metadata_props`: size and fit, the
//! distance and its threshold, the calibration, what it was trained on. A head that compares pairs is a file of its own
//! ([`export_head`]).
//!
//! ```
//! use siamese_core::candle::Device;
//! use siamese_core::{Distance, Model, Tower, TowerConfig};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("model.onnx");
//! let tower = Tower::new(TowerConfig::system_c(), 7, &Device::Cpu)?;
//! let model = Model::new(tower, Distance::Euclidean);
//! siamese_onnx::export(&model, &path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod graph;
mod head;
mod metadata;
mod proto;
mod tower;

use std::path::Path;

use prost::Message;
use siamese_core::Model;

pub use error::{Error, Result};
use proto::{GraphProto, IR_VERSION, ModelProto, OPSET, OperatorSetIdProto};

/// Protocol buffers end here.
const MOST: usize = i32::MAX as usize;

/// Writes the model's tower as ONNX to `path`, whole or not at all.
///
/// # Errors
/// Weights that cannot be read, 2 GiB of them or more, or a file that cannot be written.
pub fn export(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    write(tower::graph(&model.tower)?, model, path.as_ref())
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
    write(head::graph(&head.comparison()?), model, path.as_ref())?;
    Ok(true)
}

fn write(graph: GraphProto, model: &Model, path: &Path) -> Result<()> {
    let onnx = ModelProto {
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
    };
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
