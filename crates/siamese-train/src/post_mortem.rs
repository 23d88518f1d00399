//! What is kept of a training that has diverged, and what is told: its images, how they looked, what to try.

use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use siamese_core::Precision;
use siamese_data::{Batch, ImageSet, Loader};
use siamese_report::Thumbnail;

use crate::config::OnNan;
use crate::diverged::Diverged;
use crate::folder::{DIVERGED, DIVERGED_PICTURES};
use crate::run::Run;

/// Images that are named in a message; the file names all.
const NAMED: usize = 6;

impl Diverged {
    /// Keeps in the run folder which images it was, and what they looked like.
    pub(crate) fn keep(&self, run: &Run, names: &[String]) -> Result<()> {
        let [epoch, batch, step] = self.place;
        // a turned copy is numbered on from the images as they are
        let name = |i: u32| &names[i as usize % names.len()];
        let image = |&i: &u32| json!({ "index": i, "name": name(i) });
        let images: Vec<_> = self.images.iter().map(image).collect();
        let mut kept = json!({ "what": self.what, "epoch": epoch, "batch": batch, "step": step, "images": images });
        if let Some((sheet, columns)) = self.pictures(run)? {
            kept["pictures"] = json!({ "file": DIVERGED_PICTURES, "columns": columns });
            run.folder.write(DIVERGED_PICTURES, &sheet.to_png()?)?;
        }
        run.folder.write_json(DIVERGED, &kept)
    }

    /// The augmented pictures of the batch side by side, and how many to a row. They are made again: a batch is a
    /// function of the seed, the epoch and its place.
    fn pictures(&self, run: &Run) -> Result<Option<(Thumbnail, usize)>> {
        let [epoch, batch, _] = self.place;
        let Some(skip_batches) = batch.checked_sub(1) else {
            return Ok(None);
        };
        let mut plan = run.sampler.epoch(epoch - 1);
        plan.truncate(batch);
        let config = run.loading(epoch - 1, skip_batches);
        let mut loader = Loader::new(Arc::clone(&run.training_images), plan, config, Batch::clone)?;
        let made = loader.next().transpose()?;
        made.map(|batch| sheet(&batch, &run.images)).transpose()
    }

    /// Says what happened and what to try.
    pub(crate) fn explain(&self, run: &Run, names: &[String]) -> String {
        let (config, folder) = (&run.config, &run.folder);
        let name = |i: u32| names[i as usize % names.len()].as_str();
        let some: Vec<String> = self
            .images
            .iter()
            .take(NAMED)
            .map(|&i| format!("{} (image {i})", name(i)))
            .collect();
        let mut text = format!("{self}; its batch was of {}", some.join(", "));
        if self.images.len() > NAMED {
            let more = self.images.len() - NAMED;
            text += &format!(
                " and {more} more (all in {DIVERGED}, as they looked in {DIVERGED_PICTURES})"
            );
        }
        text += ". ";
        if folder.last().exists() {
            text += "The checkpoint is of before that. ";
        }
        text += &format!(
            "Try a smaller learning_rate (it was {})",
            config.learning_rate
        );
        match config.clip_norm {
            None => text += " or clip_norm = 1.0",
            Some(norm) => text += &format!(" or a smaller clip_norm (it was {norm})"),
        }
        if config.precision != Precision::default() {
            text += " or precision = \"f32\"";
        }
        let rate = config.learning_rate / 10.0;
        text += &format!(
            ", in a new run: siamese train {} --set learning_rate={rate:.1e}",
            folder.file("config.json").display()
        );
        if config.on_nan == OnNan::Stop {
            text += &format!(
                "; or go on without such steps: siamese train --resume {} --on-nan skip",
                folder.path().display()
            );
        }
        text
    }
}

/// The pictures of a batch in rows, as nearly a square as their number allows, and how many to a row.
fn sheet(batch: &Batch, set: &ImageSet) -> Result<(Thumbnail, usize)> {
    let count = batch.indices.len();
    let columns = (1..count).find(|n| n * n >= count).unwrap_or(1);
    let rows = count.div_ceil(columns);
    let (height, width) = batch.size;
    let line = width * set.channels;
    let image_len = height * line;
    let mut pixels = vec![0; columns * rows * image_len];
    for (i, picture) in batch.images.chunks_exact(image_len).enumerate() {
        let corner = (i / columns) * columns * image_len + (i % columns) * line;
        for (y, from) in picture.chunks_exact(line).enumerate() {
            let start = corner + y * columns * line;
            pixels[start..start + line].copy_from_slice(from);
        }
    }
    let side = |pictures: usize, pixels: usize| (pictures * pixels) as u32;
    let (width, height) = (side(columns, width), side(rows, height));
    Ok((
        Thumbnail::new(width, height, set.channels as u32, pixels)?,
        columns,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_side_by_side_row_by_row() -> Result<()> {
        let set = ImageSet::new(1, 2, 1, vec![0; 4], vec![0, 0], vec!["a".into()])?;
        let batch = Batch {
            first: 0,
            images: (1..=10).collect(),
            size: (1, 2),
            labels: vec![0; 5],
            indices: vec![0, 1, 0, 1, 0],
        };
        let (sheet, columns) = sheet(&batch, &set)?;
        assert_eq!((columns, sheet.width, sheet.height), (3, 6, 2));
        assert_eq!(sheet.pixels, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0]);
        Ok(())
    }
}
