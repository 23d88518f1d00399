//! Named tensors with a few words about them in a safetensors file, the same tensors giving the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Writes the file whole or not at all: f32 tensors, by name, and `metadata`.
///
/// safetensors' own writer takes its metadata from a `HashMap`, whose order, and with it the file's bytes, varies from
/// one run to the next. The format is <https://github.com/huggingface/safetensors#format>.
///
/// ```
/// use std::collections::BTreeMap;
/// use siamese_core::{candle::{DType, Device, Tensor}, tensor_file};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.safetensors");
/// let tensors = BTreeMap::from([("ones".to_string(), Tensor::ones((2, 3), DType::F32, &Device::Cpu)?)]);
/// tensor_file::write(&path, &tensors, &BTreeMap::from([("made by", "hand")]))?;
/// let (tensors, metadata) = tensor_file::read(&path, &Device::Cpu)?;
/// assert_eq!((tensors["ones"].dims(), metadata["made by"].as_str()), (&[2, 3][..], "hand"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When a tensor is not of f32, or the file cannot be written.
pub fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<&str, &str>,
) -> Result<()> {
    let header = header(tensors, metadata)?;
    siamese_files::write_whole(path, |file| put(file, &header, tensors))
        .map_err(|e| Error::io("writing", path, e))
}

/// The bytes of the file that [`write()`] writes.
///
/// # Errors
/// When a tensor is not of f32.
pub fn to_bytes(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<&str, &str>,
) -> Result<Vec<u8>> {
    let header = header(tensors, metadata)?;
    let mut bytes = Vec::new();
    put(&mut bytes, &header, tensors).map_err(candle_core::Error::from)?;
    Ok(bytes)
}

/// What stands before the tensors' values, without its length.
fn header(tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<&str, &str>) -> Result<Vec<u8>> {
    let mut header = Map::from_iter([("__metadata__".to_string(), json!(metadata))]);
    let mut end = 0;
    for (name, tensor) in tensors {
        if tensor.dtype() != DType::F32 {
            return Err(Error::Contradiction(format!(
                "tensor {name} is of {:?}, a file holds f32 tensors",
                tensor.dtype()
            )));
        }
        let start = end;
        end += 4 * tensor.elem_count();
        let entry = json!({ "dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // the data begin at a multiple of eight bytes
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn put(file: &mut impl Write, header: &[u8], tensors: &BTreeMap<String, Tensor>) -> io::Result<()> {
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header)?;
    tensors.values().try_for_each(|t| write_values(file, t))
}

fn write_values(file: &mut impl Write, tensor: &Tensor) -> io::Result<()> {
    let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>());
    let bytes: Vec<u8> = values
        .map_err(io::Error::other)?
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    file.write_all(&bytes)
}

/// Reads a safetensors file of any writer: its tensors and its metadata.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds numbers of a kind that Candle does not know.
pub fn read(
    path: &Path,
    device: &Device,
) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = siamese_files::read_regular(path).map_err(|e| Error::io("reading", path, e))?;
    of_bytes(&bytes, path, device)
}

/// As [`read`], of the bytes of such a file; errors call it `path`.
///
/// # Errors
/// When they are damaged, or hold numbers of a kind that Candle does not know.
pub fn of_bytes(
    bytes: &[u8],
    path: &Path,
    device: &Device,
) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let damaged = |source| Error::NotTensors {
        path: path.to_path_buf(),
        source,
    };
    // the length of the header, and the header
    if bytes.get(8) != Some(&b'{') {
        let path = path.to_path_buf();
        return Err(Error::OtherFile { path });
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let views = SafeTensors::deserialize(bytes).map_err(damaged)?.tensors();
    let load =
        |(name, view): (String, safetensors::tensor::TensorView)| Ok((name, view.load(device)?));
    Ok((
        views.into_iter().map(load).collect::<Result<_>>()?,
        metadata,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_as_it_was_written_and_written_the_same_each_time() -> anyhow::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let values = [[0.1f32, -2.0, f32::MIN_POSITIVE], [3.5, 0.0, 1e30]];
        let matrix = Tensor::new(&values, &Device::Cpu)?;
        let tensors = BTreeMap::from([
            // a view whose storage is in another order
            ("turned".to_string(), matrix.t()?),
            ("a.matrix".to_string(), matrix),
            ("number".to_string(), Tensor::new(7f32, &Device::Cpu)?),
        ]);
        let metadata = BTreeMap::from([("siamese", "{\"ü\": 1}"), ("format", "pt")]);
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        for path in &paths {
            write(path, &tensors, &metadata)?;
        }
        assert_eq!(std::fs::read(&paths[0])?, std::fs::read(&paths[1])?);
        let (read, words) = read(&paths[0], &Device::Cpu)?;
        assert_eq!(words["siamese"], "{\"ü\": 1}");
        assert_eq!(read["turned"].to_vec2::<f32>()?[0], [0.1, 3.5]);
        assert_eq!(read["a.matrix"].to_vec2::<f32>()?, values);
        assert_eq!(read["number"].to_scalar::<f32>()?, 7.0);
        assert_eq!((read.len(), words.len()), (3, 2));
        Ok(())
    }

    #[test]
    fn a_file_of_another_kind_is_not_called_damaged_and_a_cut_one_is() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.safetensors");
        let tensors =
            BTreeMap::from([("a".to_string(), Tensor::ones(3, DType::F32, &Device::Cpu)?)]);
        write(&path, &tensors, &BTreeMap::new())?;
        let whole = std::fs::read(&path)?;
        for cut in [whole.len() - 1, 20] {
            std::fs::write(&path, &whole[..cut])?;
            let read = read(&path, &Device::Cpu);
            assert!(
                matches!(read, Err(Error::NotTensors { .. })),
                "cut at {cut}"
            );
        }
        for other in [
            "",
            "version https://git-lfs.github.com/spec/v1",
            "<!DOCTYPE html>",
        ] {
            std::fs::write(&path, other)?;
            let error = read(&path, &Device::Cpu).unwrap_err().to_string();
            assert!(
                error.contains("x.safetensors") && error.contains("does not begin"),
                "{error}"
            );
        }
        Ok(())
    }

    #[test]
    fn other_kinds_of_numbers_are_refused_by_name_and_no_file_is_left() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x");
        let half = Tensor::ones(2, DType::F16, &Device::Cpu)?;
        let error = write(
            &path,
            &BTreeMap::from([("half".into(), half)]),
            &BTreeMap::new(),
        );
        assert!(error.unwrap_err().to_string().contains("tensor half"));
        assert!(!path.exists());
        Ok(())
    }
}
