//! Embeddings as files for TensorBoard's projector.

use std::fmt::Write as _;
use std::path::Path;

use crate::data::Thumbnail;
use crate::error::{ReportError, Result, io_at, write};

/// TensorBoard shows no sprite larger than this.
const LARGEST_SPRITE: u32 = 8192;

/// Embeddings with what is known of each, for <https://projector.tensorflow.org> or the
/// projector tab of TensorBoard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projector {
    /// What the embeddings are called there.
    pub name: String,
    /// Coordinates per embedding.
    pub dimension: usize,
    /// (number, dimension), row after row.
    pub embeddings: Vec<f32>,
    /// Names of the columns of `metadata`: "class", "superclass".
    pub columns: Vec<String>,
    /// One row per embedding, one text per column.
    pub metadata: Vec<Vec<String>>,
    /// One thumbnail of one size per embedding, or none at all.
    pub thumbnails: Vec<Thumbnail>,
}

/// All thumbnails in one picture.
struct Sprite {
    picture: Thumbnail,
    /// Width and height of one.
    cell: [u32; 2],
}

impl Projector {
    /// Writes `tensors.tsv`, `metadata.tsv`, `sprite.png` (where there are thumbnails) and
    /// `projector_config.pbtxt` into `folder`. The thumbnails are shrunk where their sprite would
    /// be larger than TensorBoard shows. TensorBoard finds them where `folder` is its log folder
    /// or holds event files.
    ///
    /// # Errors
    /// When the parts differ in number, or a file cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        self.check()?;
        std::fs::create_dir_all(folder).map_err(io_at(folder))?;
        write(&folder.join("tensors.tsv"), self.tensors().as_bytes())?;
        if !self.columns.is_empty() {
            write(&folder.join("metadata.tsv"), self.metadata().as_bytes())?;
        }
        let sprite = self.sprite()?;
        if let Some(sprite) = &sprite {
            write(&folder.join("sprite.png"), &sprite.picture.to_png()?)?;
        }
        let config = self.config(sprite.map(|sprite| sprite.cell));
        write(&folder.join("projector_config.pbtxt"), config.as_bytes())
    }

    fn number(&self) -> usize {
        self.embeddings.len() / self.dimension.max(1)
    }

    fn check(&self) -> Result<()> {
        let number = self.number();
        let mut counts = vec![
            (
                "coordinates of all embeddings",
                number * self.dimension,
                self.embeddings.len(),
            ),
            (
                "rows of metadata",
                if self.columns.is_empty() { 0 } else { number },
                self.metadata.len(),
            ),
        ];
        let columns = |row: &Vec<String>| ("columns of metadata", self.columns.len(), row.len());
        counts.extend(self.metadata.iter().map(columns));
        if let Some(first) = self.thumbnails.first() {
            counts.push(("thumbnails", number, self.thumbnails.len()));
            let bytes = first.width as usize * first.height as usize * first.channels as usize;
            let shape = |t: &Thumbnail| [t.width, t.height, t.channels];
            for one in &self.thumbnails {
                let same = shape(one) == shape(first) && one.pixels.len() == bytes;
                counts.push((
                    "bytes of a thumbnail",
                    bytes,
                    if same { bytes } else { one.pixels.len() },
                ));
                if !same && one.pixels.len() == bytes {
                    counts.push((
                        "width of a thumbnail",
                        first.width as usize,
                        one.width as usize,
                    ));
                }
            }
        }
        match counts
            .into_iter()
            .find(|(_, expected, got)| expected != got)
        {
            Some((what, expected, got)) => Err(ReportError::Shape {
                what,
                expected,
                got,
            }),
            None => Ok(()),
        }
    }

    fn tensors(&self) -> String {
        let mut text = String::new();
        for row in self.embeddings.chunks(self.dimension.max(1)) {
            for (at, value) in row.iter().enumerate() {
                let _ = write!(text, "{}{value}", if at > 0 { "\t" } else { "" });
            }
            text.push('\n');
        }
        text
    }

    /// A single column has no head line; several have one.
    fn metadata(&self) -> String {
        let head = (self.columns.len() > 1).then_some(&self.columns);
        let rows = head.into_iter().chain(&self.metadata);
        let cell = |text: &String| text.replace(['\t', '\n', '\r'], " ");
        rows.map(|row| row.iter().map(cell).collect::<Vec<_>>().join("\t") + "\n")
            .collect()
    }

    /// All thumbnails in one square grid, row after row; none where not a pixel of each would fit.
    fn sprite(&self) -> Result<Option<Sprite>> {
        let across = (self.thumbnails.len() as f64).sqrt().ceil() as u32;
        if across == 0 || across > LARGEST_SPRITE {
            return Ok(None);
        }
        let most = LARGEST_SPRITE / across;
        let shrunk = self.thumbnails.iter().map(|one| one.clone().shrunk(most));
        let thumbnails: Vec<Thumbnail> = shrunk.collect();
        let first = &thumbnails[0];
        let (width, height) = (across * first.width, across * first.height);
        let line = (first.width * first.channels) as usize;
        let stride = line * across as usize;
        let mut pixels = vec![255; stride * height as usize];
        for (at, thumbnail) in thumbnails.iter().enumerate() {
            let (row, column) = (at / across as usize, at % across as usize);
            for (y, source) in thumbnail.pixels.chunks(line.max(1)).enumerate() {
                let start = (row * first.height as usize + y) * stride + column * line;
                pixels[start..start + line].copy_from_slice(source);
            }
        }
        Ok(Some(Sprite {
            picture: Thumbnail::new(width, height, first.channels, pixels)?,
            cell: [first.width, first.height],
        }))
    }

    fn config(&self, cell: Option<[u32; 2]>) -> String {
        let name = self
            .name
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', " ");
        let mut text =
            format!("embeddings {{\n  tensor_name: \"{name}\"\n  tensor_path: \"tensors.tsv\"\n");
        if !self.columns.is_empty() {
            text.push_str("  metadata_path: \"metadata.tsv\"\n");
        }
        if let Some([width, height]) = cell {
            let _ = write!(
                text,
                "  sprite {{\n    image_path: \"sprite.png\"\n    single_image_dim: {width}\n    \
                 single_image_dim: {height}\n  }}\n"
            );
        }
        text + "}\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thumbnail(value: u8) -> Thumbnail {
        Thumbnail::new(2, 3, 1, (0..6).map(|i| value + i).collect()).unwrap()
    }

    fn example() -> Projector {
        Projector {
            name: "test \"set\"".into(),
            dimension: 2,
            embeddings: vec![0.5, -1.0, 2.0, 3.25, 0.0, 1e-3],
            columns: vec!["class".into(), "superclass".into()],
            metadata: vec![
                vec!["maple\ttree".into(), "trees".into()],
                vec!["cup".into(), "things".into()],
                vec!["cup".into(), "things".into()],
            ],
            thumbnails: vec![thumbnail(10), thumbnail(50), thumbnail(100)],
        }
    }

    #[test]
    fn files_hold_rows_in_order() {
        let folder = tempfile::tempdir().unwrap();
        example().write(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("tensors.tsv"), "0.5\t-1\n2\t3.25\n0\t0.001\n");
        assert_eq!(
            read("metadata.tsv"),
            "class\tsuperclass\nmaple tree\ttrees\ncup\tthings\ncup\tthings\n"
        );
        let config = read("projector_config.pbtxt");
        assert!(
            config.contains(r#"tensor_name: "test \"set\"""#),
            "{config}"
        );
        assert!(
            config.contains("single_image_dim: 2\n    single_image_dim: 3"),
            "{config}"
        );
    }

    #[test]
    fn the_sprite_is_a_grid_row_after_row() {
        let sprite = example().sprite().unwrap().unwrap().picture;
        assert_eq!((sprite.width, sprite.height), (4, 6));
        assert_eq!(sprite.pixels[..8], [10, 11, 50, 51, 12, 13, 52, 53]);
        assert_eq!(sprite.pixels[12..16], [100, 101, 255, 255]);
    }

    #[test]
    fn thumbnails_are_shrunk_until_their_sprite_can_be_shown() {
        let large = Thumbnail::new(6000, 2, 1, vec![9; 12_000]).unwrap();
        let projector = Projector {
            thumbnails: vec![large; 3],
            ..example()
        };
        let sprite = projector.sprite().unwrap().unwrap();
        assert_eq!(sprite.cell, [4096, 1]);
        assert_eq!((sprite.picture.width, sprite.picture.height), (8192, 2));
        let config = projector.config(Some(sprite.cell));
        assert!(config.contains("single_image_dim: 4096"), "{config}");
    }

    #[test]
    fn a_single_column_has_no_head_line() {
        let mut one = example();
        one.columns.pop();
        one.metadata.iter_mut().for_each(|row| row.truncate(1));
        assert_eq!(one.metadata(), "maple tree\ncup\ncup\n");
    }

    #[test]
    fn parts_that_differ_in_number_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let broken: [fn(&mut Projector); 5] = [
            |p| _ = p.embeddings.pop(),
            |p| _ = p.metadata.pop(),
            |p| _ = p.metadata[1].pop(),
            |p| _ = p.thumbnails.pop(),
            |p| p.thumbnails[1] = Thumbnail::new(3, 2, 1, vec![0; 6]).unwrap(),
        ];
        for breakage in broken {
            let mut projector = example();
            breakage(&mut projector);
            assert!(matches!(
                projector.write(folder.path()),
                Err(ReportError::Shape { .. })
            ));
        }
        assert!(Projector::default().write(folder.path()).is_ok());
    }
}
