//! Gradient caching: the gradient of a large batch's loss with a part of the batch in the tower at a time.
//!
//! Gao et al. (2021): embed chunk by chunk without a graph, take the gradient of the loss on the embeddings, then embed
//! each chunk again, now with a graph, and pass its part of that gradient on. It is the whole batch's gradient, for one
//! more pass through the tower. BatchNorm alone knows: in training its statistics are those of a chunk.

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use rand_chacha::ChaCha8Rng;
use siamese_core::{Objective, Tower};

use super::figures;

/// The gradients of a batch `images` `(B, C, H, W)`, `labels` `(B)`, and its figures.
pub(super) fn gradients(
    tower: &Tower,
    objective: &Objective,
    (images, labels): (&Tensor, &Tensor),
    chunk: usize,
    dropout: ChaCha8Rng,
) -> Result<(GradStore, Tensor)> {
    let chunks = Chunks { images, chunk };
    let embeddings = Var::from_tensor(&chunks.embed(tower, dropout.clone())?)?;
    let scored = objective.score(&embeddings, labels)?;
    let figures = figures(&scored, &embeddings)?;
    let mut gradients = siamese_kernels::backward(&scored.loss)?;
    let of_embeddings = gradients
        .remove(&embeddings)
        .context("the loss does not depend on the embeddings")?;
    chunks.pass_on(tower, &of_embeddings, dropout, &mut gradients)?;
    Ok((gradients, figures))
}

/// Images of which a part is in the tower at a time.
pub(super) struct Chunks<'a> {
    /// `(B, C, H, W)`
    pub(super) images: &'a Tensor,
    /// So many at most.
    pub(super) chunk: usize,
}

impl Chunks<'_> {
    /// Their embeddings `(B, D)`, without a graph.
    pub(super) fn embed(&self, tower: &Tower, mut dropout: ChaCha8Rng) -> Result<Tensor> {
        let parts = self.each(|images, _| {
            let images = images.to_device(tower.parameters().device())?;
            Ok(tower.embed_training(&images, &mut dropout)?.detach())
        })?;
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Embeds them again, and adds to `gradients` what the gradient of their embeddings `(B, D)` makes of the tower.
    pub(super) fn pass_on(
        &self,
        tower: &Tower,
        of_embeddings: &Tensor,
        mut dropout: ChaCha8Rng,
        gradients: &mut GradStore,
    ) -> Result<()> {
        // the running statistics have moved by this batch: the second pass is not to move them again
        let statistics = statistics(tower)?;
        self.each(|images, first| {
            let images = images.to_device(tower.parameters().device())?;
            let embeddings = tower.embed_training(&images, &mut dropout)?;
            let passed_on = of_embeddings.narrow(0, first, embeddings.dim(0)?)?;
            let more = siamese_kernels::backward(&(embeddings * passed_on)?.sum_all()?)?;
            add(gradients, more, tower)
        })?;
        for (var, value) in statistics {
            var.set(&value)?;
        }
        Ok(())
    }

    /// Does `work` with each chunk and the place of its first image.
    fn each<T>(&self, mut work: impl FnMut(Tensor, usize) -> Result<T>) -> Result<Vec<T>> {
        let images = self.images.dim(0)?;
        let (whole, rest) = (images / self.chunk, images % self.chunk);
        // a lone image would have no statistics, and few have odd ones: the rest is spread over the chunks
        let chunks = whole + usize::from(rest > 0);
        let edge = |i: usize| i * images / chunks;
        (0..chunks)
            .map(|i| {
                work(
                    self.images.narrow(0, edge(i), edge(i + 1) - edge(i))?,
                    edge(i),
                )
            })
            .collect()
    }
}

/// What a pass in training changes beside: BatchNorm's running statistics, copied.
pub(super) fn statistics(tower: &Tower) -> Result<Vec<(Var, Tensor)>> {
    let parameters = tower.parameters();
    let trainable: Vec<String> = parameters.trainable().into_iter().map(|(n, _)| n).collect();
    let others = parameters.all().into_iter();
    others
        .filter(|(name, _)| trainable.binary_search(name).is_err())
        .map(|(_, var)| Ok((var.clone(), var.as_tensor().copy()?)))
        .collect()
}

pub(super) fn add(gradients: &mut GradStore, mut more: GradStore, tower: &Tower) -> Result<()> {
    for (_, var) in tower.parameters().trainable() {
        let Some(more) = more.remove(&var) else {
            continue;
        };
        let sum = match gradients.remove(&var) {
            Some(sum) => (sum + more)?,
            None => more,
        };
        gradients.insert(&var, sum);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use candle_core::{DType, Device};
    use siamese_core::{Body, Distance, ImageInput, ObjectiveConfig, Stage, Stages, TowerConfig};
    use siamese_data::stream;

    use super::*;

    const IMAGES: usize = 4;
    const COPIES: usize = 3;

    pub(in crate::step) fn networks(seed: u64) -> Result<(Tower, Objective)> {
        networks_with(seed, 0.25)
    }

    pub(in crate::step) fn networks_with(seed: u64, dropout: f32) -> Result<(Tower, Objective)> {
        let stage = Stage {
            channels: 4,
            convolutions: 1,
        };
        let config = TowerConfig {
            input: ImageInput {
                height: 4,
                width: 6,
                mean: vec![0.5],
                std: vec![0.25],
                fit: Default::default(),
            },
            body: Body::Stages(Stages {
                stages: vec![stage],
                ..Stages::default()
            }),
            embedding: 5,
            dropout,
            normalize: true,
            ..TowerConfig::system_c()
        };
        let terms = r#"{"kind": "sum", "terms": [{"kind": "sup_con", "memory": 20}, {"kind": "normalized_softmax"}]}"#;
        let objective: ObjectiveConfig = serde_json::from_str(terms)?;
        let tower = Tower::new(config, seed, &Device::Cpu)?;
        let objective = Objective::new(objective, Distance::Cosine, 5, 3, seed, &Device::Cpu)?;
        Ok((tower, objective))
    }

    /// The same images in every chunk, so that each has the statistics of the whole batch; their labels differ.
    pub(in crate::step) fn batch() -> Result<(Tensor, Tensor)> {
        let pixel = |i: usize| ((i % (IMAGES * 24)) * 37 % 101) as f32 / 50.0 - 1.0;
        let values: Vec<f32> = (0..COPIES * IMAGES * 24).map(pixel).collect();
        let images = Tensor::from_vec(values, (COPIES * IMAGES, 1, 4, 6), &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 1, 2, 0, 0, 0, 1, 1, 2, 1, 0, 2], &Device::Cpu)?;
        Ok((images, labels))
    }

    pub(in crate::step) fn assert_close(one: &Tensor, other: &Tensor, what: &str) -> Result<()> {
        let apart = (one - other)?.abs()?.max_all()?.to_scalar::<f32>()?;
        let scale = one.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(
            apart <= 2e-5 * scale.max(1e-2),
            "{what}: {apart} of {scale}"
        );
        Ok(())
    }

    #[test]
    fn chunks_with_the_batchs_statistics_have_the_batchs_gradient() -> Result<()> {
        let (images, labels) = batch()?;
        let dropout = || stream(1, "dropout", &[0]);
        let (tower, objective) = networks(3)?;
        let embeddings = tower.embed_training(&images, &mut dropout())?;
        let scored = objective.score(&embeddings, &labels)?;
        let whole = scored.loss.backward()?;

        let (chunked, learned) = networks(3)?;
        let (grads, figures) =
            gradients(&chunked, &learned, (&images, &labels), IMAGES, dropout())?;
        assert_close(&figures.get(0)?, &scored.loss.to_dtype(DType::F32)?, "loss")?;
        let own = |tower: &Tower, objective: &Objective| {
            let of_tower = tower.parameters().trainable();
            let of_objective = objective.parameters().trainable();
            of_tower.into_iter().chain(of_objective).collect::<Vec<_>>()
        };
        let mut moved = 0;
        for ((name, a), (_, b)) in own(&tower, &objective).iter().zip(own(&chunked, &learned)) {
            let (a, b) = (whole.get(a), grads.get(&b));
            let (a, b) = (a.context(name.clone())?, b.context(name.clone())?);
            assert_close(a, b, name)?;
            moved += usize::from(a.abs()?.max_all()?.to_scalar::<f32>()? > 1e-4);
        }
        assert!(moved >= 4, "{moved}");
        Ok(())
    }

    #[test]
    fn the_running_statistics_move_once_for_each_chunk_and_the_memory_once() -> Result<()> {
        let (images, labels) = batch()?;
        let (once, _) = networks(3)?;
        let mut dropout = stream(1, "dropout", &[0]);
        for i in 0..COPIES {
            once.embed_training(&images.narrow(0, i * IMAGES, IMAGES)?, &mut dropout)?;
        }
        let (tower, objective) = networks(3)?;
        let dropout = stream(1, "dropout", &[0]);
        gradients(&tower, &objective, (&images, &labels), IMAGES, dropout)?;
        assert_eq!(
            tower.parameters().fingerprint()?,
            once.parameters().fingerprint()?
        );
        let remembered = objective.parameters().snapshot()?;
        let remembered = remembered["0.memory.labels"].to_vec1::<f32>()?;
        assert_eq!(remembered.iter().filter(|&&label| label >= 0.0).count(), 12);
        Ok(())
    }

    #[test]
    fn no_chunk_is_much_smaller_than_the_others() -> Result<()> {
        let images = Tensor::zeros((9, 1), DType::F32, &Device::Cpu)?;
        let chunks = Chunks {
            images: &images,
            chunk: 4,
        };
        let sizes = chunks.each(|images, first| Ok((first, images.dim(0)?)))?;
        assert_eq!(sizes, [(0, 3), (3, 3), (6, 3)]);
        Ok(())
    }
}
