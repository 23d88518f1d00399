//! What compares two embeddings: a distance, or a head that learns which pairs are the same.

use std::fmt;

use candle_core::{Device, Result as Computed, Tensor, bail};
use candle_nn::{Linear, linear};
use serde::{Deserialize, Deserializer, Serialize};
use siamese_metrics::{Combine, Comparison, Dense};

use crate::error::{Error, Result};
use crate::parameters::Parameters;

/// What compares two embeddings; `kind` tells them apart in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadConfig {
    /// The distance between them, which nothing has to learn.
    Distance {},
    /// A network that is trained with the tower.
    Comparison(ComparisonConfig),
}

impl HeadConfig {
    /// The kinds there are, by the names that files use.
    pub const NAMES: [&str; 2] = ["distance", "comparison"];

    /// Whether it is the plain distance.
    pub fn is_distance(&self) -> bool {
        *self == Self::Distance {}
    }

    /// Whether every setting is in range.
    ///
    /// # Errors
    /// When one is not; the message names it.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Distance {} => Ok(()),
            Self::Comparison(config) => config.validate(),
        }
    }
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self::Distance {}
    }
}

/// A comparison that is learned: what is made of two embeddings, and the widths of the layers on top, with ReLU between
/// them; the last layer's one number is the logit of P(same).
///
/// The default is Koch's (2015): `σ(Σ wᵢ |aᵢ − bᵢ| + b)`, 4,097 parameters on embeddings of 4,096. Two outputs under a
/// softmax, as others have it, are the same with one weight vector for their difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComparisonConfig {
    /// What is made of the two, one after another; a single one may stand without brackets. None depends on their order.
    #[serde(deserialize_with = "one_or_several")]
    pub combine: Vec<Combine>,
    /// Widths of hidden layers; none for a weighted sum.
    pub hidden: Vec<usize>,
}

impl Default for ComparisonConfig {
    fn default() -> Self {
        Self {
            combine: vec![Combine::AbsoluteDifference],
            hidden: Vec::new(),
        }
    }
}

impl ComparisonConfig {
    fn validate(&self) -> Result<()> {
        let invalid = |field, why: &str| {
            let why = why.into();
            Err(Error::Invalid { field, why })
        };
        if self.combine.is_empty() {
            return invalid(
                "combine",
                "must name what is made of two embeddings, such as absolute_difference",
            );
        }
        let repeated = |(i, one)| self.combine[..i].contains(one);
        if self.combine.iter().enumerate().any(repeated) {
            return invalid("combine", "names one of them twice");
        }
        if self.hidden.contains(&0) {
            return invalid("hidden", "has a layer of width 0");
        }
        Ok(())
    }
}

fn one_or_several<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Vec<Combine>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        One(String),
        Several(Vec<String>),
    }
    let names = match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::Several(names) => names,
    };
    // read one by one, so that a misspelt name is answered with those there are
    let read = |name: String| Combine::deserialize(serde::de::value::StringDeserializer::new(name));
    names.into_iter().map(read).collect()
}

impl fmt::Display for ComparisonConfig {
    /// In a clause, for a model card: `P(same) of |a − b| through layers of 64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |parts: Vec<String>| parts.join(", ");
        let combined = list(self.combine.iter().map(Combine::to_string).collect());
        match self.hidden.is_empty() {
            true => write!(f, "P(same) by a weighted sum of {combined}"),
            false => {
                let widths = list(self.hidden.iter().map(usize::to_string).collect());
                write!(f, "P(same) of {combined} through hidden layers of {widths}")
            }
        }
    }
}

/// A head that compares pairs of embeddings. Clones share their weights.
#[derive(Clone)]
pub struct Head {
    config: ComparisonConfig,
    embedding: usize,
    parameters: Parameters,
    layers: Vec<Linear>,
}

impl Head {
    /// A new head for embeddings of length `embedding`, its weights drawn from `seed`.
    ///
    /// ```
    /// use siamese_core::{ComparisonConfig, Head, candle::{DType, Device, Tensor}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let head = Head::new(ComparisonConfig::default(), 4096, 7, &Device::Cpu)?; // Koch's
    /// assert_eq!(head.parameters().count(), 4097);
    /// let a = Tensor::ones((2, 4096), DType::F32, &Device::Cpu)?;
    /// let b = (&a * 0.5)?;
    /// let (one, other) = (head.logits(&a, &b)?, head.logits(&b, &a)?);
    /// assert_eq!(one.to_vec1::<f32>()?, other.to_vec1::<f32>()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a setting is out of range; the message names it.
    pub fn new(
        config: ComparisonConfig,
        embedding: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        Self::with_parameters(config, embedding, Parameters::new(seed, device))
    }

    /// A head whose weights are those that `parameters` makes or holds.
    pub(crate) fn with_parameters(
        config: ComparisonConfig,
        embedding: usize,
        parameters: Parameters,
    ) -> Result<Self> {
        config.validate()?;
        let vb = parameters.builder().pp("layers");
        let mut inputs = config.combine.len() * embedding;
        let mut layers = Vec::new();
        for (i, &outputs) in config.hidden.iter().chain([&1]).enumerate() {
            layers.push(linear(inputs, outputs, vb.pp(i))?);
            inputs = outputs;
        }
        Ok(Self {
            config,
            embedding,
            parameters,
            layers,
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &ComparisonConfig {
        &self.config
    }

    /// The length of the embeddings that it compares.
    pub fn embedding(&self) -> usize {
        self.embedding
    }

    /// Its weights, by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The logit of P(same) for each row of `a` `(B, D)` and the same row of `b` → `(B)`. Gradients are finite
    /// everywhere; where two numbers coincide, that of their difference is 0.
    ///
    /// # Errors
    /// When the shapes differ or are not `(B, D)`.
    pub fn logits(&self, a: &Tensor, b: &Tensor) -> Computed<Tensor> {
        if a.rank() != 2 || a.dims() != b.dims() || a.dim(1)? != self.embedding {
            bail!(
                "the head compares two (B, {}) tensors, got {:?} and {:?}",
                self.embedding,
                a.dims(),
                b.dims()
            )
        }
        let made = self.config.combine.iter().map(|one| combine(*one, a, b));
        let mut x = Tensor::cat(&made.collect::<Computed<Vec<_>>>()?, 1)?;
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                x = x.relu()?;
            }
            x = apply(layer, &x)?;
        }
        x.squeeze(1)
    }

    /// The head on plain slices, as its weights are now: what judges embeddings by it.
    ///
    /// # Errors
    /// When the weights cannot be read from the device, or are not finite.
    pub fn comparison(&self) -> Result<Comparison> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let dense = |layer: &Linear| -> Computed<Dense> {
            let bias = layer.bias().map(values).transpose()?.unwrap_or_default();
            Ok(Dense {
                weights: values(layer.weight())?,
                bias,
            })
        };
        let layers = self.layers.iter().map(dense).collect::<Computed<_>>()?;
        Comparison::new(self.config.combine.clone(), self.embedding, layers)
            .map_err(|error| Error::Contradiction(format!("the head: {error}")))
    }
}

fn combine(how: Combine, a: &Tensor, b: &Tensor) -> Computed<Tensor> {
    match how {
        // the gradient of `abs` at 0 is 1 in Candle, that of `max − min` is 0
        Combine::AbsoluteDifference => a.maximum(b)? - a.minimum(b)?,
        Combine::SquaredDifference => (a - b)?.sqr(),
        Combine::Product => a * b,
        Combine::Sum => a + b,
        Combine::Maximum => a.maximum(b),
        Combine::Minimum => a.minimum(b),
    }
}

/// `x Wᵀ + b` in the precision of `x`.
fn apply(layer: &Linear, x: &Tensor) -> Computed<Tensor> {
    let weight = layer.weight().to_dtype(x.dtype())?;
    let y = x.matmul(&weight.t()?)?;
    match layer.bias() {
        Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?),
        None => Ok(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn rows(start: u32) -> Tensor {
        let number = |i: u32| ((i * 37 + start) % 101) as f32 / 50.0 - 1.0;
        let numbers: Vec<f32> = (0..6 * 5).map(number).collect();
        Tensor::from_vec(numbers, (6, 5), &Device::Cpu).unwrap()
    }

    fn heads() -> Vec<Head> {
        let mut configs: Vec<ComparisonConfig> = Vec::new();
        for hidden in [vec![], vec![4], vec![7, 3]] {
            configs.extend(Combine::ALL.map(|one| ComparisonConfig {
                combine: vec![one],
                hidden: hidden.clone(),
            }));
            configs.push(ComparisonConfig {
                combine: Combine::ALL.to_vec(),
                hidden,
            });
        }
        let head = |config| Head::new(config, 5, 3, &Device::Cpu).unwrap();
        configs.into_iter().map(head).collect()
    }

    #[test]
    fn the_order_of_the_two_does_not_change_a_bit() -> anyhow::Result<()> {
        let (a, b) = (rows(0), rows(13));
        for head in heads() {
            let one = head.logits(&a, &b)?.to_vec1::<f32>()?;
            let other = head.logits(&b, &a)?.to_vec1::<f32>()?;
            assert_eq!(one, other, "{}", head.config);
        }
        Ok(())
    }

    #[test]
    fn the_head_on_slices_is_the_one_that_was_trained() -> anyhow::Result<()> {
        let (a, b) = (rows(0), rows(13));
        for head in heads() {
            let comparison = head.comparison()?;
            let logits = head.logits(&a, &b)?.to_vec1::<f32>()?;
            let (a, b) = (a.to_vec2::<f32>()?, b.to_vec2::<f32>()?);
            for ((a, b), logit) in a.iter().zip(&b).zip(logits) {
                let expected = 1.0 / (1.0 + logit.exp());
                let got = comparison.of(a, b);
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_weight_and_both_embeddings_receive_a_finite_gradient() -> anyhow::Result<()> {
        for head in heads() {
            let (a, b) = (Var::from_tensor(&rows(0))?, Var::from_tensor(&rows(13))?);
            let grads = head.logits(a.as_tensor(), b.as_tensor())?.sqr()?;
            let grads = grads.sum_all()?.backward()?;
            let mut vars = vec![("a".to_string(), a), ("b".to_string(), b)];
            vars.extend(head.parameters().trainable());
            for (name, var) in vars {
                let grad = grads.get(&var).map(|g| g.flatten_all()?.to_vec1::<f32>());
                let grad = grad.transpose()?.unwrap_or_default();
                assert!(grad.iter().any(|g| *g != 0.0), "{name} of {}", head.config);
                assert!(grad.iter().all(|g| g.is_finite()), "{name}");
            }
        }
        Ok(())
    }

    #[test]
    fn embeddings_that_coincide_do_not_pull_at_each_other() -> anyhow::Result<()> {
        let head = Head::new(ComparisonConfig::default(), 5, 3, &Device::Cpu)?;
        let (a, b) = (Var::from_tensor(&rows(0))?, Var::from_tensor(&rows(0))?);
        let logits = head.logits(a.as_tensor(), b.as_tensor())?;
        let grads = logits.sum_all()?.backward()?;
        for var in [&a, &b] {
            let grad = grads
                .get(var)
                .map(|g| g.abs()?.sum_all()?.to_scalar::<f32>());
            assert_eq!(grad.transpose()?, Some(0.0));
        }
        Ok(())
    }

    #[test]
    fn files_may_name_one_way_without_brackets_and_misspelt_ones_are_refused() -> anyhow::Result<()>
    {
        let read = |json: &str| serde_json::from_str::<HeadConfig>(json);
        assert!(read(r#"{"kind":"distance"}"#)?.is_distance());
        assert_eq!(
            read(r#"{"kind":"comparison"}"#)?,
            HeadConfig::Comparison(ComparisonConfig::default())
        );
        let one = read(r#"{"kind":"comparison","combine":"product","hidden":[8]}"#)?;
        let copy: HeadConfig = serde_json::from_str(&serde_json::to_string(&one)?)?;
        assert_eq!(copy, one);
        for (json, named) in [
            (r#"{"kind":"distance","hidden":[8]}"#, "hidden"),
            (r#"{"kind":"comparison","width":8}"#, "width"),
            (
                r#"{"kind":"comparison","combine":"produkt"}"#,
                "squared_difference",
            ),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
        Ok(())
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |combine: &[Combine], hidden: &[usize]| {
            let (combine, hidden) = (combine.to_vec(), hidden.to_vec());
            let config = ComparisonConfig { combine, hidden };
            let error = HeadConfig::Comparison(config.clone()).validate();
            assert!(Head::new(config, 5, 0, &Device::Cpu).is_err());
            error.unwrap_err().to_string()
        };
        assert!(refused(&[], &[]).starts_with("combine"));
        assert!(refused(&[Combine::Sum; 2], &[]).contains("twice"));
        assert!(refused(&[Combine::Sum], &[3, 0]).starts_with("hidden"));
    }
}
