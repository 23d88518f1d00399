//! Figures of other embeddings of the same images, under names of their own.

use anyhow::Result;
use siamese_core::metrics::{BootstrapConfig, Figure};
use siamese_core::{ClassHead, Distance, Metric};
use siamese_data::{ImageSet, Pair};
use siamese_embed::Embeddings;

use crate::pairs::JudgedPairs;
use crate::retrieval::Retrieval;

/// What the names of the figures of a model's classes end in.
const CLASSES: &str = "_softmax";

/// The same images and pairs, otherwise embedded.
pub(crate) struct Other<'a> {
    pub(crate) embeddings: &'a Embeddings,
    pub(crate) labels: &'a [u32],
    pub(crate) pairs: &'a [Pair],
    pub(crate) metric: &'a Metric,
    /// Whether each image is asked about among all others, too.
    pub(crate) retrieval: bool,
    pub(crate) seed: u64,
}

impl Other<'_> {
    /// The pairs' ROC AUC and EER and retrieval, their names ending in `suffix`; none depends on a threshold.
    pub(crate) fn figures(&self, suffix: &str) -> Result<Vec<Figure>> {
        let bootstrap = BootstrapConfig {
            seed: self.seed,
            ..Default::default()
        };
        let judged = JudgedPairs::new(self.embeddings, self.pairs.to_vec(), self.metric)?;
        let mut figures = judged.figures(self.labels, None, &bootstrap)?;
        figures.retain(|figure| ["roc_auc", "eer"].contains(&figure.name.as_str()));
        if self.retrieval {
            let table = self.embeddings.table(self.labels)?;
            figures.extend(Retrieval::new(&table, self.metric, &bootstrap)?.figures);
        }
        for figure in &mut figures {
            figure.name += suffix;
        }
        Ok(figures)
    }
}

/// The figures of a model's classes, `roc_auc_softmax` and so on, where it was trained on every class of the images.
pub(crate) fn class_figures(
    head: &ClassHead,
    images: &ImageSet,
    own: &Other,
) -> Result<Vec<Figure>> {
    if !head.knows(&images.classes, own.labels.iter().copied()) {
        return Ok(Vec::new());
    }
    let probable = head.embed(&own.embeddings.values)?;
    let indices: Vec<u32> = (0..images.len() as u32).collect();
    let other = Other {
        embeddings: &Embeddings::of(&[probable], images.len(), &indices)?,
        metric: &Distance::Euclidean.into(),
        ..*own
    };
    other.figures(CLASSES)
}

#[cfg(test)]
mod tests {
    use siamese_core::candle::{Device, Tensor};

    use super::*;

    #[test]
    fn only_images_of_classes_that_the_model_knows_have_figures_of_these() -> Result<()> {
        let vectors = Tensor::new(&[[1f32, 0.0], [0.0, 1.0]], &Device::Cpu)?;
        let head = ClassHead::new(&vectors, vec!["b".into(), "a".into()], 10.0)?;
        let values = Tensor::new(
            &[[1f32, 0.1], [1.0, 0.4], [0.2, 1.0], [0.0, 1.0]],
            &Device::Cpu,
        )?;
        let embeddings = Embeddings::of(&[values], 4, &[0, 1, 2, 3])?;
        let pair = |a, b, like| Pair { a, b, like };
        let own = Other {
            embeddings: &embeddings,
            labels: &[0, 0, 1, 1],
            pairs: &[
                pair(0, 1, true),
                pair(2, 3, true),
                pair(0, 2, false),
                pair(1, 3, false),
            ],
            metric: &Distance::Cosine.into(),
            retrieval: true,
            seed: 0,
        };
        let images = |classes: [&str; 2]| {
            let classes = classes.map(String::from).to_vec();
            ImageSet::new(1, 1, 1, vec![0; 4], vec![0, 0, 1, 1], classes)
        };
        let figures = class_figures(&head, &images(["a", "b"])?, &own)?;
        let value = |name: &str| figures.iter().find(|f| f.name == name).map(|f| f.value);
        assert_eq!(value("roc_auc_softmax"), Some(1.0));
        assert_eq!(value("recall_at_1_softmax"), Some(1.0));
        assert!(class_figures(&head, &images(["a", "c"])?, &own)?.is_empty());
        Ok(())
    }
}
