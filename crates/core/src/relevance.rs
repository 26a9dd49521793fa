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

/// Totals that add up to less than one part in so many cancel each other.
const CANCELLING: f64 = 100.0;

/// The relevance of one value, in the value's shape and [compute type](DType::compute). Cheap to clone.
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
    /// Relevance in default mode.
    pub fn default_mode(relevance: T) -> Self {
        Self { channels: Channels::Default(relevance), amount: OnceLock::new() }
    }

    /// Relevance in contrastive mode. Both channels have the same shape.
    pub fn contrastive(positive: T, negative: T) -> Self {
        Self { channels: Channels::Contrastive { positive, negative }, amount: OnceLock::new() }
    }

    /// The mode of this relevance.
    pub fn mode(&self) -> Mode {
        match self.channels {
            Channels::Default(_) => Mode::Default,
            Channels::Contrastive { .. } => Mode::Contrastive,
        }
    }

    /// The relevance of default mode, or the channel for.
    pub fn first(&self) -> &T {
        match &self.channels {
            Channels::Default(relevance) => relevance,
            Channels::Contrastive { positive, .. } => positive,
        }
    }

    /// The channel against, of contrastive mode.
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

    /// Applies a map that only moves elements, so that the total stays the same.
    ///
    /// # Errors
    /// What the map returns.
    pub fn map_conserving(&self, map: impl FnMut(&T) -> Result<T>) -> Result<Self> {
        Ok(Self { amount: self.amount.clone(), ..self.map(map)? })
    }

    /// The relevance in another element type.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn cast(&self, dtype: DType) -> Result<Self> {
        self.map_conserving(|channel| channel.cast(dtype))
    }

    /// Adds other relevance of the same value.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn accumulate(self, other: &Self) -> Result<Self> {
        // Known totals save another pass over the sum, unless they cancel: then rounding would be most of what is left.
        let amount = self
            .amount
            .get()
            .zip(other.amount.get())
            .map(|(a, b)| (*a + *b, a.magnitude().max(b.magnitude())));
        let amount =
            amount.filter(|(sum, largest)| sum.magnitude() * CANCELLING > *largest).map(|(sum, _)| sum);
        let sum = self.zip(other, Tensor::accumulate)?;
        if let Some(amount) = amount {
            let _ = sum.amount.set(amount);
        }
        Ok(sum)
    }

    /// Zero relevance of a value, in the same mode.
    pub(crate) fn none(&self, meta: &Meta) -> Result<Self> {
        let none = self.map(|channel| channel.zeros(&meta.shape))?;
        let _ = none.amount.set(Amount::default());
        let dtype = meta.dtype.compute();
        if dtype.is_float() { none.cast(dtype) } else { Ok(none) }
    }

    /// Adds relevance of the same mode to a region.
    pub(crate) fn add_region(self, region: &[Range], part: &Self) -> Result<Self> {
        // Taking the total of the small part now saves another pass over the whole.
        let amount = self.amount.get().map(|amount| Ok(*amount + part.amount()?)).transpose()?;
        let sum = self.zip(part, |whole, part| whole.add_region(region, part))?;
        if let Some(amount) = amount {
            let _ = sum.amount.set(amount);
        }
        Ok(sum)
    }

    /// Combines each channel with that of another relevance of the same mode.
    ///
    /// # Errors
    /// What `join` returns.
    pub fn zip(self, other: &Self, mut join: impl FnMut(T, &T) -> Result<T>) -> Result<Self> {
        Ok(match (self.channels, other.second()) {
            (Channels::Contrastive { positive, negative }, Some(second)) => {
                Self::contrastive(join(positive, other.first())?, join(negative, second)?)
            }
            (Channels::Default(channel) | Channels::Contrastive { positive: channel, .. }, _) => {
                Self::default_mode(join(channel, other.first())?)
            }
        })
    }

    /// Concatenates relevances of one mode along an axis; there must be at least one.
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

    /// Measures each channel.
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
