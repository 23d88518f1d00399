//! Embeddings for TensorBoard's projector.

use anyhow::Result;
use siamese_data::ImageSet;
use siamese_report::Projector;

use crate::evaluation::Evaluation;
use crate::pictures::{as_judged, class_name};

/// Longest side of the projector's pictures, in pixels.
const PICTURE: u32 = 64;

impl Evaluation {
    /// Every embedding with its image, its class and, where there is one, its superclass; `images`
    /// is the set that was judged.
    ///
    /// # Errors
    /// When the images cannot be shown.
    pub fn projector(&self, name: &str, images: &ImageSet) -> Result<Projector> {
        let coarse = images.coarse_labels.as_deref();
        let mut columns = vec!["class".to_string(), "image".to_string()];
        columns.extend(coarse.map(|_| "superclass".to_string()));
        let row = |index: u32| {
            let superclass = coarse.map(|coarse| {
                let name = images.superclasses.get(coarse[index as usize] as usize);
                name.cloned().unwrap_or_default()
            });
            let mut row = vec![class_name(images, index), index.to_string()];
            row.extend(superclass);
            row
        };
        let indices = 0..images.len() as u32;
        Ok(Projector {
            name: name.into(),
            dimension: self.embeddings.values.dim(1)?,
            embeddings: self.embeddings.values.flatten_all()?.to_vec1()?,
            columns,
            metadata: indices.clone().map(row).collect(),
            thumbnails: indices
                .map(|i| as_judged(images, i, PICTURE))
                .collect::<Result<_>>()?,
        })
    }
}
