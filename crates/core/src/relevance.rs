//! Relevance of one value: one channel in default mode, two in contrastive mode.

use crate::{Amount, DType, Meta, Range, Result, Tensor};
use std::sync::OnceLock;

/// The two modes of the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One channel; relevance is what supports the explained output.
    #[default]
    Default,
    /// Two channels: relevance for and against the explained output.
    Contrastive,
}

/// The relevance of one value, of the value's shape, in the value's
/// [compute type](DType::compute). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relevance<T> {
    channels: Channels<T>,
    amount: OnceLock<Amount>,
}

#[derive(Debug, Clone)]
enum Channels<T> {
    Default(T),
    Contrastive { positive: T, negative: T },
}

impl<T: Tensor> Relevance<T> {
    /// Relevance of the default mode.
    pub fn default_mode(relevance: T) -> Self {
        Self { channels: Channels::Default(relevance), amount: OnceLock::new() }
    }

    /// Relevance of the contrastive mode. Both channels have the same shape.
    pub fn contrastive(positive: T, negative: T) -> Self {
        Self { channels: Channels::Contrastive { positive, negative }, amount: OnceLock::new() }
    }

    /// The mode this relevance belongs to.
    pub fn mode(&self) -> Mode {
        match self.channels {
            Channels::Default(_) => Mode::Default,
            Channels::Contrastive { .. } => Mode::Contrastive,
        }
    }

    /// The relevance of default mode, or the positive channel.
    pub fn first(&self) -> &T {
        match &self.channels {
            Channels::Default(relevance) => relevance,
            Channels::Contrastive { positive, .. } => positive,
        }
    }

    /// The negative channel of contrastive mode.
    pub fn second(&self) -> Option<&T> {
        match &self.channels {
            Channels::Default(_) => None,
            Channels::Contrastive { negative, .. } => Some(negative),
        }
    }

    /// The shape of the value.
    pub fn shape(&self) -> Vec<usize> {
        self.first().shape()
    }

    /// Applies the same map to each channel.
    ///
    /// # Errors
    /// What the map returns.
    pub fn map(&self, mut map: impl FnMut(&T) -> Result<T>) -> Result<Self> {
        Ok(match &self.channels {
            Channels::Default(relevance) => Self::default_mode(map(relevance)?),
            Channels::Contrastive { positive, negative } => Self::contrastive(map(positive)?, map(negative)?),
        })
    }

    /// Applies a map that only moves elements about, so that the total stays what it is.
    ///
    /// # Errors
    /// What the map returns.
    pub fn rearrange(&self, map: impl FnMut(&T) -> Result<T>) -> Result<Self> {
        Ok(Self { amount: self.amount.clone(), ..self.map(map)? })
    }

    /// The relevance in another element type.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        self.rearrange(|channel| channel.cast(dtype))
    }

    /// The sum of this relevance and another of the same value.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn add(&self, other: &Self) -> Result<Self> {
        let sum = self.zip(other, Tensor::add)?;
        // Totals that are known spare another pass over the sum.
        if let (Some(a), Some(b)) = (self.amount.get(), other.amount.get()) {
            let _ = sum.amount.set(*a + *b);
        }
        Ok(sum)
    }

    /// No relevance of a value, in the same mode.
    pub(crate) fn none(&self, meta: &Meta) -> Result<Self> {
        let none = self.map(|channel| channel.zeros(&meta.shape))?;
        let _ = none.amount.set(Amount::default());
        let dtype = meta.dtype.compute();
        if dtype.is_float() { none.cast(dtype) } else { Ok(none) }
    }

    /// Adds relevance of the same mode to a regular part, in the buffers of this one, which nothing else may hold.
    pub(crate) fn add_region(self, region: &[Range], part: &Self) -> Result<Self> {
        let sum = match (self.channels, part.second()) {
            (Channels::Contrastive { positive, negative }, Some(other)) => Self::contrastive(
                positive.add_region(region, part.first())?,
                negative.add_region(region, other)?,
            ),
            (Channels::Default(channel) | Channels::Contrastive { positive: channel, .. }, _) => {
                Self::default_mode(channel.add_region(region, part.first())?)
            }
        };
        // A total of the part while it is at hand spares another pass over the whole.
        if let Some(amount) = self.amount.get() {
            let _ = sum.amount.set(*amount + part.amount()?);
        }
        Ok(sum)
    }

    /// Applies a map to each channel and that of another relevance of the same mode.
    ///
    /// # Errors
    /// What the map returns.
    pub fn zip(&self, other: &Self, mut map: impl FnMut(&T, &T) -> Result<T>) -> Result<Self> {
        Ok(match (&self.channels, &other.channels) {
            (
                Channels::Contrastive { positive, negative },
                Channels::Contrastive { positive: other_positive, negative: other_negative },
            ) => Self::contrastive(map(positive, other_positive)?, map(negative, other_negative)?),
            _ => Self::default_mode(map(self.first(), other.first())?),
        })
    }

    /// Relevances of one mode after each other along an axis; there must be at least one.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn concat(parts: &[Self], axis: usize) -> Result<Self> {
        let firsts: Vec<T> = parts.iter().map(|part| part.first().clone()).collect();
        let seconds: Vec<T> = parts.iter().filter_map(|part| part.second().cloned()).collect();
        let first = T::concat(&firsts, axis)?;
        if seconds.is_empty() {
            return Ok(Self::default_mode(first));
        }
        Ok(Self::contrastive(first, T::concat(&seconds, axis)?))
    }

    /// The total relevance of each channel; computed once.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn amount(&self) -> Result<Amount> {
        if let Some(amount) = self.amount.get() {
            return Ok(*amount);
        }
        let amount = self.measure(Tensor::total)?;
        Ok(*self.amount.get_or_init(|| amount))
    }

    /// A number of each channel.
    ///
    /// # Errors
    /// What the measure returns.
    pub fn measure(&self, mut measure: impl FnMut(&T) -> Result<f64>) -> Result<Amount> {
        Ok(match &self.channels {
            Channels::Default(relevance) => Amount::default_mode(measure(relevance)?),
            Channels::Contrastive { positive, negative } => {
                Amount::new(measure(positive)?, measure(negative)?)
            }
        })
    }
}
