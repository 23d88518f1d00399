//! A weighted sum of objectives.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::ObjectiveConfig;
use super::loss::{Arrangement, Batch, Loss, Scored, above};
use crate::error::{self, Error};

/// `J = Σ weight · J_term`, such as `terms = [{ kind = "normalized_softmax" }, { kind = "contrastive", pairs =
/// "in_batch", weight = 4.0 }]`. What it says of a batch's active share is the first term's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sum {
    /// At least one; the first leads.
    pub terms: Vec<Term>,
}

/// An objective in a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// What it is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// The objective, its `kind` and settings beside the weight.
    #[serde(flatten)]
    pub objective: ObjectiveConfig,
}

fn one() -> f64 {
    1.0
}

impl Sum {
    /// Each term's figure times its weight, where all have one.
    fn weighted(&self, figure: impl Fn(&dyn Loss) -> Option<f64>) -> Option<f64> {
        let of_term = |term: &Term| Some(term.weight * figure(term.objective.loss())?);
        self.terms.iter().map(of_term).sum()
    }
}

impl Loss for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn describe(&self) -> String {
        let term = |Term { weight, objective }: &Term| match *weight {
            1.0 => objective.to_string(),
            weight => format!("{weight} × {objective}"),
        };
        let terms: Vec<String> = self.terms.iter().map(term).collect();
        terms.join("; plus ")
    }

    fn validate(&self) -> error::Result<()> {
        if self.terms.is_empty() {
            return Err(Error::Invalid {
                field: "terms",
                why: "must name what is summed: objective.terms = [{ kind = \"normalized_softmax\" }, { kind = \
                      \"contrastive\", pairs = \"in_batch\", weight = 4.0 }]"
                    .into(),
            });
        }
        self.terms.iter().try_for_each(|term| {
            above("weight", 0.0, term.weight)?;
            term.objective.validate()
        })
    }

    /// The strictest of the terms': sampled pairs suit a loss of any images too.
    fn needs(&self) -> Arrangement {
        let needs = |of: Arrangement| self.terms.iter().any(|term| term.objective.needs() == of);
        [Arrangement::Pairs, Arrangement::SeveralPerClass]
            .into_iter()
            .find(|&of| needs(of))
            .unwrap_or(Arrangement::Any)
    }

    fn needs_head(&self) -> bool {
        self.terms.iter().any(|term| term.objective.needs_head())
    }

    fn of_classes(&self) -> bool {
        self.terms.iter().any(|term| term.objective.of_classes())
    }

    fn prepare(&self, own: &VarBuilder, embedding: usize, classes: usize) -> error::Result<()> {
        let mut terms = self.terms.iter().enumerate();
        terms.try_for_each(|(i, term)| {
            let loss = term.objective.loss();
            loss.prepare(&own.pp(i), embedding, classes)
        })
    }

    /// The first term's that has some.
    fn class_vectors(&self) -> Option<(String, f64)> {
        let mut terms = self.terms.iter().enumerate();
        terms.find_map(|(i, term)| {
            let (name, scale) = term.objective.loss().class_vectors()?;
            Some((format!("{i}.{name}"), scale))
        })
    }

    fn rate(&self, name: &str) -> f64 {
        let of_term = name.split_once('.').and_then(|(i, rest)| {
            let term = self.terms.get(i.parse::<usize>().ok()?)?;
            Some(term.objective.loss().rate(rest))
        });
        of_term.unwrap_or(1.0)
    }

    fn score(&self, batch: &Batch) -> Result<Scored> {
        let mut sum: Option<Scored> = None;
        for (i, Term { weight, objective }) in self.terms.iter().enumerate() {
            let own = batch.own.pp(i);
            let scored = objective.loss().score(&Batch { own, ..*batch })?;
            let loss = (scored.loss * *weight)?;
            sum = Some(match sum {
                None => Scored { loss, ..scored },
                Some(before) => Scored {
                    loss: (before.loss + loss)?,
                    ..before
                },
            });
        }
        sum.ok_or_else(|| candle_core::Error::Msg("a sum of objectives has no terms".into()))
    }

    fn validation_loss(&self, distances: &[f32], like: &[bool]) -> Option<f64> {
        self.weighted(|loss| loss.validation_loss(distances, like))
    }

    fn collapsed(&self, batch: usize, classes: usize) -> Option<f64> {
        self.weighted(|loss| loss.collapsed(batch, classes))
    }
}
