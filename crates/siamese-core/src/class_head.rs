//! A second embedding, for images of the classes that a tower was trained on: how probable each of these is.

use std::collections::HashMap;

use candle_core::{D, Result as Computed, Tensor};
use serde::{Deserialize, Serialize};

use crate::distance::normalize;
use crate::error::{Error, Result};

/// The vectors that stand for the classes in a normalised softmax, and what they make of an embedding:
/// `√softmax(sharpness · cos(z, w))`, of unit length.
///
/// The squared Euclidean distance of two such is `2 − 2 Σ √(pq)`, twice the squared Hellinger distance of what the tower
/// believes of two images. Of classes that it was not trained on it believes nothing that is worth comparing.
///
/// ```
/// use siamese_core::{ClassHead, candle::{Device, Tensor}};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vectors = Tensor::new(&[[2f32, 0.], [0., 1.]], &Device::Cpu)?;
/// let head = ClassHead::new(&vectors, vec!["cat".into(), "dog".into()], 3f64.ln())?;
/// let embedding = Tensor::new(&[[5f32, 0.]], &Device::Cpu)?;
/// // cosines 1 and 0: probabilities 3/4 and 1/4
/// let [cat, dog] = head.embed(&embedding)?.to_vec2::<f32>()?[0][..] else { unreachable!() };
/// assert!((cat - 0.8660254).abs() < 1e-5 && (dog - 0.5).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClassHead {
    /// `(C, D)`, of any length.
    vectors: Tensor,
    about: About,
}

/// What a model file says of it beside its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// What cosines are multiplied by: the scale of training over a temperature.
    sharpness: f64,
    /// The classes, a vector each.
    names: Vec<String>,
}

impl ClassHead {
    /// A head of the classes `names` with the vectors `(C, D)`.
    ///
    /// # Errors
    /// When there are not as many names as vectors, or a number is none or, the sharpness, not above 0.
    pub fn new(vectors: &Tensor, names: Vec<String>, sharpness: f64) -> Result<Self> {
        Self::of(vectors, About { sharpness, names })
    }

    pub(crate) fn of(vectors: &Tensor, about: About) -> Result<Self> {
        let (classes, _) = vectors.dims2()?;
        if classes != about.names.len() {
            return Err(Error::Contradiction(format!(
                "its {classes} vectors of classes are of {} names",
                about.names.len()
            )));
        }
        if !(about.sharpness > 0.0 && about.sharpness.is_finite()) {
            return Err(Error::Contradiction(format!(
                "the sharpness of its classes is {}, not a number above 0",
                about.sharpness
            )));
        }
        let vectors = vectors.detach();
        if !vectors.sum_all()?.to_scalar::<f32>()?.is_finite() {
            let why = "a vector of its classes holds a number that is not finite";
            return Err(Error::Contradiction(why.into()));
        }
        Ok(Self { vectors, about })
    }

    /// The same with another sharpness.
    ///
    /// # Errors
    /// When it is not a number above 0.
    pub fn with_sharpness(&self, sharpness: f64) -> Result<Self> {
        let names = self.about.names.clone();
        Self::of(&self.vectors, About { sharpness, names })
    }

    /// What cosines are multiplied by.
    pub fn sharpness(&self) -> f64 {
        self.about.sharpness
    }

    /// The classes that it knows.
    pub fn names(&self) -> &[String] {
        &self.about.names
    }

    /// Whether it knows the classes of all these images: their `labels` are places in `classes`.
    pub fn knows(&self, classes: &[String], labels: impl IntoIterator<Item = u32>) -> bool {
        let mut known = HashMap::new();
        labels.into_iter().all(|label| {
            let asked = || self.names().contains(&classes[label as usize]);
            *known.entry(label).or_insert_with(asked)
        })
    }

    /// Embeddings `(B, D)` → `(B, C)`, each of unit length.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn embed(&self, embeddings: &Tensor) -> Computed<Tensor> {
        let cosines = normalize(embeddings)?.matmul(&normalize(&self.vectors)?.t()?)?;
        let logits = (cosines * self.about.sharpness)?;
        candle_nn::ops::softmax(&logits, D::Minus1)?.sqrt()
    }

    /// `(C, D)`
    pub(crate) fn vectors(&self) -> &Tensor {
        &self.vectors
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn head(sharpness: f64) -> Result<ClassHead> {
        let values: Vec<f32> = (0..12).map(|i| (i as f32 * 0.9).sin()).collect();
        let vectors = Tensor::from_vec(values, (4, 3), &Device::Cpu)?;
        let names = ["a", "b", "c", "d"].map(String::from).to_vec();
        ClassHead::new(&vectors, names, sharpness)
    }

    #[test]
    fn distances_are_hellingers_of_the_naive_probabilities() -> Result<()> {
        let head = head(7.0)?;
        let rows = [[0.3f32, -1.0, 0.2], [2.0, 0.5, 0.1]];
        let unit = |row: &[f32]| -> Vec<f64> {
            let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter().map(|x| x / length).collect()
        };
        let vectors = head.vectors().to_vec2::<f32>()?;
        let vectors: Vec<Vec<f64>> = vectors.iter().map(|w| unit(w)).collect();
        let probabilities = rows.map(|row| {
            let cosine = |w: &Vec<f64>| unit(&row).iter().zip(w).map(|(a, b)| a * b).sum();
            let powers: Vec<f64> = vectors
                .iter()
                .map(cosine)
                .map(|c: f64| (7.0 * c).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(move |p| p / sum).collect::<Vec<_>>()
        });
        let [p, q] = &probabilities;
        let naive: f64 = p
            .iter()
            .zip(q)
            .map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2))
            .sum();
        let embedded = head.embed(&Tensor::new(&rows, &Device::Cpu)?)?;
        let squared = (embedded.get(0)? - embedded.get(1)?)?.sqr()?.sum_all()?;
        assert!((f64::from(squared.to_scalar::<f32>()?) - naive).abs() < 1e-5);
        let lengths = embedded.sqr()?.sum(1)?.to_vec1::<f32>()?;
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5));
        Ok(())
    }

    #[test]
    fn what_contradicts_itself_is_refused() -> Result<()> {
        for sharpness in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(head(sharpness).is_err(), "{sharpness}");
        }
        let vectors = head(1.0)?.vectors().clone();
        assert!(ClassHead::new(&vectors, vec!["a".into()], 1.0).is_err());
        let broken = (vectors * f64::NAN)?;
        assert!(ClassHead::new(&broken, head(1.0)?.names().to_vec(), 1.0).is_err());
        Ok(())
    }
}
