//! The classes that a run trains on, as a second embedding of its model.

use anyhow::Result;
use siamese_core::{ClassHead, Distance};
use siamese_embed::Embeddings;
use siamese_evaluate::JudgedPairs;

use crate::run::Run;

/// Temperatures that are tried: above 1 the classes are told apart less sharply than in training.
const TEMPERATURES: [f64; 7] = [0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0];

impl Run {
    /// What knows the classes trained on, at the temperature by which the validation pairs are told apart best; `None` where
    /// the objective learns no class, and where the validation images are of others.
    pub(crate) fn class_head(&self, embeddings: &Embeddings) -> Result<Option<ClassHead>> {
        let Some((vectors, scale)) = self.objective.class_vectors()? else {
            return Ok(None);
        };
        let of = &self.validation;
        let head = ClassHead::new(&vectors, self.class_names(), scale)?;
        let labels = of.indices.iter().map(|&i| of.images.labels[i as usize]);
        if !head.knows(&of.images.classes, labels) {
            return Ok(None);
        }
        let metric = Distance::Euclidean.into();
        let mut best: Option<(f64, ClassHead)> = None;
        for temperature in TEMPERATURES {
            let head = head.with_sharpness(scale / temperature)?;
            let probable = head.embed(&embeddings.values)?;
            let probable = Embeddings::of(&[probable], of.images.len(), &of.indices)?;
            let auc = JudgedPairs::new(&probable, of.pairs.clone(), &metric)?
                .curve
                .roc_auc();
            if best.as_ref().is_none_or(|(most, _)| auc > *most) {
                best = Some((auc, head));
            }
        }
        Ok(best.map(|(_, head)| head))
    }

    /// The classes trained on by name, in the order in which training numbers them.
    fn class_names(&self) -> Vec<String> {
        let dense = self.divided.dense_labels();
        let mut names = vec![String::new(); self.divided.classes()];
        for i in self.divided.training() {
            let label = self.training_images.labels[i as usize] as usize;
            names[dense[label] as usize].clone_from(&self.training_images.classes[label]);
        }
        names
    }
}
