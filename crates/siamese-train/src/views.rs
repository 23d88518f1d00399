//! Learning without labels: every picture is a class of two images, which augmentation makes different.

use std::sync::Arc;

use anyhow::Result;
use rand::seq::SliceRandom;
use siamese_data::{AugmentConfig, stream};

use crate::data::{TestSet, TrainingData};

/// Pictures of a part that are judged by their views, which are in memory.
const JUDGED_PICTURES: usize = 2000;

impl TrainingData {
    /// The same pictures without what is known of them: each is a class of its own, of two images that augmentation will
    /// make different.
    #[must_use]
    pub fn in_two_views(self) -> Self {
        let images = self.images.in_two_views();
        Self {
            names: twice(&self.names),
            groups: Some(images.labels.clone()),
            published: None,
            pairs: None,
            images: Arc::new(images),
            ..self
        }
    }
}

impl TestSet {
    /// Two views of some of the pictures, as training sees them: whether a picture is known again by its other view.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub(crate) fn of_views(self, augment: &AugmentConfig, seed: u64) -> Result<Self> {
        let mut set = self;
        let mut pictures: Vec<u32> = (0..set.images.len() as u32 / 2).collect();
        pictures.shuffle(&mut stream(seed, "judged views", &[]));
        pictures.truncate(JUDGED_PICTURES);
        pictures.sort_unstable();
        let both: Vec<u32> = pictures.iter().flat_map(|&i| [2 * i, 2 * i + 1]).collect();
        set.keep(&both);
        set.images = set.images.augmented(augment, seed)?;
        Ok(set)
    }
}

/// Each of these twice, one after the other.
fn twice(names: &[String]) -> Vec<String> {
    names
        .iter()
        .flat_map(|name| [name.clone(), name.clone()])
        .collect()
}
