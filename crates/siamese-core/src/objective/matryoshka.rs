//! Embeddings whose first numbers are of use alone, as a doll is whole within a larger one.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::loss::{Arrangement, Batch, Loss, Scored};
use super::{NormalizedSoftmax, ObjectiveConfig};
use crate::distance::normalize;
use crate::error::{self, Error};

/// The mean of an objective over the whole embedding and its first `lengths` numbers, each prefix brought to unit length:
/// `J = 1/(n + 1) · (J_of(z) + Σ J_of(z₁..ₗ / ‖z₁..ₗ‖))`. After Kusupati et al., *Matryoshka Representation Learning* (NeurIPS
/// 2022); what the objective learns of its own, it learns for each length. A gallery then keeps as many numbers as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matryoshka {
    /// Numbers from the front that are to be of use alone, ascending, such as `[32, 64]` of 128.
    pub lengths: Vec<usize>,
    /// The objective.
    pub of: Box<ObjectiveConfig>,
}

impl Default for Matryoshka {
    fn default() -> Self {
        Self {
            lengths: Vec::new(),
            of: Box::new(ObjectiveConfig::NormalizedSoftmax(
                NormalizedSoftmax::default(),
            )),
        }
    }
}

/// What the parameters are called that belong to the whole embedding.
const WHOLE: &str = "whole";

fn invalid(why: String) -> Error {
    let field = "lengths";
    Error::Invalid { field, why }
}

impl Loss for Matryoshka {
    fn name(&self) -> &'static str {
        "matryoshka"
    }

    fn describe(&self) -> String {
        let lengths: Vec<String> = self.lengths.iter().map(usize::to_string).collect();
        let lengths = lengths.join(", ");
        format!("{}, of the first {lengths} numbers too", self.of)
    }

    fn validate(&self) -> error::Result<()> {
        self.of.validate()?;
        if self.of.needs_head() {
            let why = format!(
                "cannot be told for {}, whose head takes whole embeddings",
                self.of
            );
            return Err(invalid(why));
        }
        let ascend = self.lengths.is_sorted_by(|a, b| a < b);
        match self.lengths.first() {
            Some(&first) if first > 1 && ascend => Ok(()),
            _ => Err(invalid(format!(
                "must name how many of the first numbers are to be of use alone, two or more and ascending, such as [32, 64], \
                 got {:?}",
                self.lengths
            ))),
        }
    }

    fn needs(&self) -> Arrangement {
        self.of.needs()
    }

    fn of_classes(&self) -> bool {
        self.of.of_classes()
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        if let Some(&longest) = self.lengths.last().filter(|last| **last >= embedding) {
            return Err(invalid(format!(
                "must be shorter than the embedding, which has {embedding} numbers, got {longest}"
            )));
        }
        let loss = self.of.loss();
        loss.prepare(&own.pp(WHOLE), embedding, classes)?;
        let mut lengths = self.lengths.iter();
        lengths.try_for_each(|&length| loss.prepare(&own.pp(length), length, classes))
    }

    fn rate(&self, name: &str) -> f64 {
        let own = name.split_once('.').map(|(_, rest)| rest);
        own.map_or(1.0, |name| self.of.loss().rate(name))
    }

    /// What it says of the active share is the whole embedding's.
    fn score(&self, batch: &Batch) -> Result<Scored> {
        let loss = self.of.loss();
        let own = batch.own.pp(WHOLE);
        let whole = loss.score(&Batch { own, ..*batch })?;
        let mut sum = whole.loss;
        for &length in &self.lengths {
            let embeddings = prefix(batch.embeddings, length)?;
            let own = batch.own.pp(length);
            let of_prefix = loss.score(&Batch {
                embeddings: &embeddings,
                own,
                ..*batch
            })?;
            sum = (sum + of_prefix.loss)?;
        }
        Ok(Scored {
            loss: (sum / (self.lengths.len() + 1) as f64)?,
            active: whole.active,
        })
    }

    fn validation_loss(&self, distances: &[f32], like: &[bool]) -> Option<f64> {
        self.of.loss().validation_loss(distances, like)
    }

    fn collapsed(&self, batch: usize, classes: usize) -> Option<f64> {
        self.of.loss().collapsed(batch, classes)
    }
}

/// The first numbers of each row, of unit length.
fn prefix(embeddings: &Tensor, length: usize) -> Result<Tensor> {
    normalize(&embeddings.narrow(1, 0, length)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use siamese_metrics::Distance;

    use super::super::{Contrastive, Objective, PairsOf};
    use super::*;

    fn embeddings() -> Result<Tensor> {
        let number = |i: u32| ((i * 37 + 5) % 101) as f32 / 50.0 - 1.0;
        let numbers: Vec<f32> = (0..6 * 8).map(number).collect();
        normalize(&Tensor::from_vec(numbers, (6, 8), &Device::Cpu)?)
    }

    fn contrastive() -> ObjectiveConfig {
        ObjectiveConfig::Contrastive(Contrastive {
            pairs: PairsOf::InBatch,
            ..Contrastive::default()
        })
    }

    fn objective(config: ObjectiveConfig, embedding: usize) -> error::Result<Objective> {
        Objective::new(config, Distance::Euclidean, embedding, 3, 7, &Device::Cpu)
    }

    fn nested(lengths: &[usize], of: ObjectiveConfig) -> ObjectiveConfig {
        ObjectiveConfig::Matryoshka(Matryoshka {
            lengths: lengths.to_vec(),
            of: Box::new(of),
        })
    }

    #[test]
    fn it_is_the_mean_of_the_objective_over_normalised_prefixes_and_the_whole() -> anyhow::Result<()>
    {
        let (embeddings, labels) = (
            embeddings()?,
            Tensor::new(&[0u32, 0, 1, 1, 2, 2], &Device::Cpu)?,
        );
        let loss = |config, rows: &Tensor| -> anyhow::Result<f32> {
            let objective = objective(config, rows.dim(1)?)?;
            Ok(objective.score(rows, &labels)?.loss.to_scalar()?)
        };
        let mut sum = loss(contrastive(), &embeddings)?;
        for length in [2, 5] {
            let rows = embeddings.narrow(1, 0, length)?.to_vec2::<f32>()?;
            let unit = rows.iter().flat_map(|row| {
                let size = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                row.iter().map(move |x| x / size)
            });
            let unit = Tensor::from_vec(unit.collect::<Vec<f32>>(), (6, length), &Device::Cpu)?;
            sum += loss(contrastive(), &unit)?;
        }
        let found = loss(nested(&[2, 5], contrastive()), &embeddings)?;
        assert!((found - sum / 3.0).abs() < 1e-5, "{found} {}", sum / 3.0);
        Ok(())
    }

    #[test]
    fn every_length_has_its_own_proxies_and_all_receive_a_gradient() -> anyhow::Result<()> {
        let softmax = ObjectiveConfig::NormalizedSoftmax(NormalizedSoftmax::default());
        let objective = objective(nested(&[2, 5], softmax), 8)?;
        let var = Var::from_tensor(&embeddings()?)?;
        let labels = Tensor::new(&[0u32, 0, 1, 1, 2, 2], &Device::Cpu)?;
        let grads = objective.score(var.as_tensor(), &labels)?.loss.backward()?;
        let mut shapes = Vec::new();
        for (name, proxies) in objective.parameters().trainable() {
            let grad = grads
                .get(&proxies)
                .map(|g| g.abs()?.sum_all()?.to_scalar::<f32>());
            assert!(grad.transpose()?.is_some_and(|g| g > 0.0), "{name}");
            shapes.push(proxies.dims().to_vec());
        }
        shapes.sort();
        assert_eq!(shapes, [[3, 2], [3, 5], [3, 8]]);
        Ok(())
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let said = |lengths: &[usize], embedding| {
            let made = objective(nested(lengths, contrastive()), embedding);
            made.err().map_or(String::new(), |error| error.to_string())
        };
        for lengths in [&[][..], &[0, 4], &[4, 4], &[5, 3], &[1]] {
            let error = said(lengths, 8);
            assert!(error.starts_with("lengths"), "{lengths:?}: {error}");
        }
        assert!(said(&[4, 8], 8).contains("8 numbers"));
        assert_eq!(said(&[4, 7], 8), "");
    }
}
