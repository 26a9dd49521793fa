//! An explained input as arrays, with what is known from its file.

use crate::failure::Result;
use crate::inputs::Note;
use dlbacktrace::core::DType;
use dlbacktrace::{Amount, Explanation, InputRelevance};
use dlbacktrace_report::{ArrayFile, ArrayKeys};
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// One input of the model that received relevance.
pub struct Explained {
    pub name: String,
    pub relevance: Arrays,
    pub total: Amount,
    /// The values of the input.
    pub values: Values,
    pub note: Note,
}

/// What an input holds.
pub enum Values {
    Numbers(ArrayD<f64>),
    Texts(ArrayD<String>),
}

/// Relevance of one value, with both channels in contrastive mode.
pub struct Arrays {
    pub positive: ArrayD<f64>,
    pub negative: Option<ArrayD<f64>>,
    /// The precision of the computation.
    pub precision: DType,
}

impl Explained {
    /// All explained inputs in the model's order.
    ///
    /// # Errors
    /// If an array cannot be read out of the framework.
    pub fn all(explanation: &Explanation, notes: &BTreeMap<String, Note>) -> Result<Vec<Self>> {
        let input = |input: &InputRelevance| {
            Ok(Self {
                name: input.name.clone(),
                relevance: Arrays {
                    positive: input.relevance()?,
                    negative: input.negative()?,
                    precision: input.precision(),
                },
                total: input.amount(),
                values: match input.texts()? {
                    Some(texts) => Values::Texts(texts),
                    None => Values::Numbers(input.data()?),
                },
                note: notes.get(&input.name).cloned().unwrap_or_default(),
            })
        };
        explanation.inputs().iter().map(input).collect()
    }
}

impl Arrays {
    /// The channels in their order.
    pub fn channels(&self) -> impl Iterator<Item = &ArrayD<f64>> {
        std::iter::once(&self.positive).chain(&self.negative)
    }

    /// Relevance for minus relevance against.
    pub fn difference(&self) -> ArrayD<f64> {
        match &self.negative {
            Some(negative) => &self.positive - negative,
            None => self.positive.clone(),
        }
    }

    /// Adds the channels and their difference to the file under their names, in the precision of the computation.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn add_to(&self, file: &mut ArrayFile, keys: &ArrayKeys) -> Result<()> {
        let difference = self.negative.as_ref().map(|_| self.difference());
        for (channel, key) in self.channels().chain(&difference).zip(keys.names()) {
            match self.precision {
                DType::F64 => file.add(key, channel.view())?,
                _ => file.add(key, channel.mapv(|value| value as f32).view())?,
            }
        }
        Ok(())
    }
}
