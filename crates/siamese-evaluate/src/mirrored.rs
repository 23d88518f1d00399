//! Figures of averaged embeddings: each image is represented by the mean of its embedding and its mirror image's.
//!
//! Some papers judge so. It takes a second pass through the tower, and the threshold was fitted to plain embeddings: the
//! figures have names of their own, and none depends on a threshold.

use anyhow::Result;
use siamese_core::Model;
use siamese_core::metrics::Figure;
use siamese_data::{ImageSet, Turned};
use siamese_embed::{Embeddings, embed};

use crate::evaluation::Evaluation;
use crate::few_shot::{EpisodeConfig, few_shot_figures};
use crate::other::Other;

/// The pairs' ROC AUC and EER, retrieval and, where episodes are played, these, of averaged embeddings: figures of their
/// own names, such as `roc_auc_mirrored`. Retrieval is left out where `evaluation` has none.
///
/// # Errors
/// When the images do not fit the model, or an episode cannot be played.
pub fn mirrored_figures(
    model: &Model,
    images: &ImageSet,
    evaluation: &Evaluation,
    episodes: Option<&EpisodeConfig>,
) -> Result<Vec<Figure>> {
    let embeddings = with_mirror_images(model, images, &evaluation.embeddings)?;
    let other = Other {
        embeddings: &embeddings,
        labels: &images.labels,
        pairs: &evaluation.judged.pairs,
        metric: &evaluation.metric,
        retrieval: evaluation.retrieval.is_some(),
        seed: evaluation.seed,
    };
    let mut figures = other.figures("_mirrored")?;
    if let Some(episodes) = episodes {
        let table = embeddings.table(&images.labels)?;
        let played = few_shot_figures(&table.view()?, &evaluation.metric, episodes)?;
        figures.extend(played.into_iter().map(|figure| Figure {
            name: figure.name + "_mirrored",
            ..figure
        }));
    }
    Ok(figures)
}

/// The mean of each image's embedding and its mirror image's, of unit length where the model's embeddings are.
fn with_mirror_images(model: &Model, images: &ImageSet, own: &Embeddings) -> Result<Embeddings> {
    let both = images.turned(Turned::Mirrored)?;
    let count = images.len() as u32;
    let mirror_images: Vec<u32> = (count..2 * count).collect();
    let mirrored = embed(&model.tower, &both, &mirror_images)?;
    let mean = ((&own.values + &mirrored.values)? / 2.0)?;
    let indices: Vec<u32> = (0..count).collect();
    let mean = Embeddings::of(&[mean], images.len(), &indices)?;
    match model.tower.config().normalize {
        true => Ok(mean.of_unit_length()?),
        false => Ok(mean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use siamese_core::{Distance, ImageInput, Tower, TowerConfig};

    #[test]
    fn an_image_and_its_mirror_image_are_the_same_when_both_are_averaged() -> Result<()> {
        let config = TowerConfig {
            input: ImageInput {
                height: 16,
                width: 16,
                ..ImageInput::system_c()
            },
            ..TowerConfig::system_c()
        };
        let model = Model::new(Tower::new(config, 3, &Device::Cpu)?, Distance::Euclidean);
        let pixels: Vec<u8> = (0..16 * 16 * 3u32).map(|i| (i * 37 % 251) as u8).collect();
        let one = ImageSet::new(16, 16, 3, pixels, vec![0], vec!["a".into()])?;
        let both = one.turned(Turned::Mirrored)?;
        let all = |set: &ImageSet| -> Result<_> {
            let indices: Vec<u32> = (0..set.len() as u32).collect();
            Ok(embed(&model.tower, set, &indices)?)
        };
        let apart = all(&both)?.table(&both.labels)?;
        let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>();
        let between = |rows: &[f32]| {
            let (a, b) = rows.split_at(rows.len() / 2);
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
        };
        assert!(
            between(&apart.values) > 1e-6,
            "the tower sees no difference"
        );
        let image = with_mirror_images(&model, &one, &all(&one)?)?.table(&[0])?;
        assert!((length(&image.values) - 1.0).abs() < 1e-5);
        let mirror_image = both.subset(&[1]);
        // its pixels as a set of its own: what is turned already is not turned again
        let pixels = mirror_image.image(0)?.into_owned();
        let mirror_image = ImageSet::new(16, 16, 3, pixels, vec![0], vec!["a".into()])?;
        let other = with_mirror_images(&model, &mirror_image, &all(&mirror_image)?)?;
        let other = other.table(&[0])?;
        assert!(between(&[image.values, other.values].concat()) < 1e-10);
        Ok(())
    }
}
