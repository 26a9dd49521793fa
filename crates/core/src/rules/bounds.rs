//! The bounds that the rule `box` takes.

use crate::{Error, Result, Tensor};
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The least and the largest value that a layer's operand can have, such as the darkest and the lightest pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The least.
    pub low: Level,
    /// The largest.
    pub high: Level,
    /// What they bound.
    #[serde(default, skip_serializing_if = "Bounded::is_operand")]
    pub of: Bounded,
}

/// A number for all channels, or a list of one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a bound of the rule box is a number, or a list of one for each channel")]
pub enum Level {
    /// For all channels.
    All(f64),
    /// For each channel: an index of axis 1 of a convolution's operand with its channels first, or of a linear layer's last axis.
    Each(Vec<f64>),
}

/// What bounds are known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bounded {
    /// The operand of the layer that takes the rule.
    #[default]
    Operand,
    /// The model's inputs. They are those of the operand only if the operand is an input, moved at most; anything else is refused.
    Input,
}

impl Bounded {
    fn is_operand(&self) -> bool {
        *self == Self::Operand
    }
}

impl From<f64> for Level {
    fn from(number: f64) -> Self {
        Self::All(number)
    }
}

impl From<Vec<f64>> for Level {
    fn from(numbers: Vec<f64>) -> Self {
        Self::Each(numbers)
    }
}

impl Level {
    fn numbers(&self) -> &[f64] {
        match self {
            Self::All(number) => std::slice::from_ref(number),
            Self::Each(numbers) => numbers,
        }
    }

    /// In a shape that broadcasts to x, whose channels this axis counts.
    fn tensor<T: Tensor>(&self, x: &T, channels: Option<usize>) -> Result<T> {
        let (rank, numbers) = (x.shape().len(), self.numbers());
        let mut shape = vec![1; rank];
        if let Self::Each(_) = self {
            let axis = channels.ok_or_else(|| {
                Error::Rules(format!(
                    "bounds of the rule box are {self}, but its operand has no channels; give a number"
                ))
            })?;
            let extent = x.shape()[axis];
            if extent != numbers.len() {
                return Err(Error::Rules(format!(
                    "bounds of the rule box are {self}, but its operand has {extent} channels; give one for each, or one for all"
                )));
            }
            shape[axis] = extent;
        }
        x.floats(ArrayView1::from(numbers).into_dyn())?.reshape(&shape)
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(number) => write!(f, "{}", rounded(*number)),
            Self::Each(numbers) => {
                write!(f, "{:?}", numbers.iter().copied().map(rounded).collect::<Vec<_>>())
            }
        }
    }
}

impl Bounds {
    /// The bounds of a layer's operand.
    pub fn of_operand(low: impl Into<Level>, high: impl Into<Level>) -> Self {
        Self { low: low.into(), high: high.into(), of: Bounded::Operand }
    }

    /// The bounds of the model's inputs.
    pub fn of_input(low: impl Into<Level>, high: impl Into<Level>) -> Self {
        Self { of: Bounded::Input, ..Self::of_operand(low, high) }
    }

    /// Whether there is one for each channel.
    pub(super) fn has_lists(&self) -> bool {
        [&self.low, &self.high].into_iter().any(|level| matches!(level, Level::Each(_)))
    }

    /// Pairs of low and high.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let (low, high) = (self.low.numbers(), self.high.numbers());
        let count = low.len().max(high.len());
        low.iter().copied().cycle().zip(high.iter().copied().cycle()).take(count)
    }

    /// What is wrong with them, whatever the operand.
    pub(super) fn check(&self) -> Result<(), String> {
        let lists = [&self.low, &self.high].map(|level| match level {
            Level::All(_) => None,
            Level::Each(numbers) => Some(numbers.len()),
        });
        let uneven = matches!(lists, [Some(low), Some(high)] if low != high);
        if uneven || lists.contains(&Some(0)) {
            return Err("box takes as many low as high bounds: one, or one for each channel".into());
        }
        let ordered = |(low, high): (f64, f64)| low.is_finite() && high.is_finite() && low < high;
        if self.pairs().all(ordered) { Ok(()) } else { Err("box takes bounds with low below high".into()) }
    }

    /// x − low and high − x. No x lies below its low or above its high by more than a step between two of 256 levels, as pixels
    /// have; what rounding makes of this counts as 0.
    pub(crate) fn distances<T: Tensor>(&self, x: &T, channels: Option<usize>) -> Result<[T; 2]> {
        let above = x.sub(&self.low.tensor(x, channels)?)?;
        let below = self.high.tensor(x, channels)?.sub(x)?;
        let narrowest = self.pairs().map(|(low, high)| high - low).fold(f64::INFINITY, f64::min);
        let inside = |distance: &T| Ok::<_, Error>(distance.least()? >= -narrowest / 256.0);
        if x.shape().contains(&0) || (inside(&above)? && inside(&below)?) {
            return Ok([above.positive()?, below.positive()?]);
        }
        let (least, largest) = (x.least()?, -x.scale(-1.0)?.least()?);
        Err(Error::Rules(format!(
            "its operand reaches from {least:.4} to {largest:.4}, outside the bounds {self} of the rule box. If the model \
             computes this operand from its input, as where it scales pixels, give the bounds of the operand: \
             rule = {{ box = {{ low = …, high = … }} }}"
        )))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.low, self.high)
    }
}
