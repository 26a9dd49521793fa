//! The elements of an array: one buffer of one element type.

use super::Real;
use crate::{DType, Error, Result};
use std::sync::Arc;

/// Shared elements in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Elements<F> {
    Float(Arc<Vec<F>>),
    Int(Arc<Vec<i64>>),
    Bool(Arc<Vec<bool>>),
}

impl<F: Real> Elements<F> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    pub(super) fn dtype(&self) -> DType {
        match self {
            Self::Float(_) => F::DTYPE,
            Self::Int(_) => DType::Int,
            Self::Bool(_) => DType::Bool,
        }
    }

    pub(super) fn doubles(&self) -> Vec<f64> {
        match self {
            Self::Float(values) => values.iter().map(|&x| x.into()).collect(),
            Self::Int(values) => values.iter().map(|&x| x as f64).collect(),
            Self::Bool(values) => values.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// The elements as integers; `None` for floating-point numbers.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        match self {
            Self::Float(_) => None,
            Self::Int(values) => Some(values.to_vec()),
            Self::Bool(values) => Some(values.iter().map(|&x| i64::from(x)).collect()),
        }
    }

    pub(super) fn cast(&self, dtype: DType) -> Result<Self> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        Ok(match dtype {
            DType::F32 | DType::F64 => match self {
                Self::Float(_) => self.clone(),
                Self::Int(_) | Self::Bool(_) => Self::Float(rounded(self.doubles())),
            },
            DType::Int => Self::Int(Arc::new(
                self.integers().unwrap_or_else(|| self.doubles().into_iter().map(|x| x as i64).collect()),
            )),
            DType::Bool => Self::Bool(Arc::new(self.doubles().into_iter().map(|x| x != 0.0).collect())),
            DType::F16 | DType::BF16 | DType::Other => {
                let message =
                    format!("an array of {:?} cannot become {dtype:?}; ask for F32 or F64", F::DTYPE);
                return Err(Error::tensor("cast", message));
            }
        })
    }

    /// One value repeated `len` times, in the element type of these elements.
    pub(super) fn repeat(&self, value: f64, len: usize) -> Result<Self> {
        match self {
            Self::Float(_) => Ok(Self::Float(Arc::new(vec![F::nearest(value); len]))),
            Self::Int(_) if value == value.trunc() && value.abs() < i64::MAX as f64 => {
                Ok(Self::Int(Arc::new(vec![value as i64; len])))
            }
            Self::Bool(_) if value == 0.0 || value == 1.0 => {
                Ok(Self::Bool(Arc::new(vec![value == 1.0; len])))
            }
            Self::Int(_) | Self::Bool(_) => {
                let (own, float) = (self.dtype(), F::DTYPE);
                let message =
                    format!("{value} is not a value of type {own:?}; cast the tensor to {float:?} first");
                Err(Error::tensor("full", message))
            }
        }
    }

    /// The elements at the given positions.
    pub(super) fn gather(&self, positions: &[usize]) -> Self {
        match self {
            Self::Float(values) => Self::Float(gather(values, positions)),
            Self::Int(values) => Self::Int(gather(values, positions)),
            Self::Bool(values) => Self::Bool(gather(values, positions)),
        }
    }

    /// These elements followed by `others`; `None` if the element types differ.
    pub(super) fn join<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut joined = self.clone();
        for other in others {
            match (&mut joined, other) {
                (Self::Float(values), Self::Float(more)) => Arc::make_mut(values).extend_from_slice(more),
                (Self::Int(values), Self::Int(more)) => Arc::make_mut(values).extend_from_slice(more),
                (Self::Bool(values), Self::Bool(more)) => Arc::make_mut(values).extend_from_slice(more),
                _ => return None,
            }
        }
        Some(joined)
    }
}

fn gather<A: Copy>(values: &[A], positions: &[usize]) -> Arc<Vec<A>> {
    Arc::new(positions.iter().map(|&position| values[position]).collect())
}

fn rounded<F: Real>(values: Vec<f64>) -> Arc<Vec<F>> {
    Arc::new(values.into_iter().map(F::nearest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_different_types_do_not_join() {
        let floats = Elements::<f64>::Float(Arc::new(vec![1.0]));
        let ints = Elements::<f64>::Int(Arc::new(vec![1]));
        assert_eq!(floats.join([&ints].into_iter()), None);
        assert_eq!(ints.join([&ints].into_iter()), Some(Elements::Int(Arc::new(vec![1, 1]))));
    }

    #[test]
    fn gathering_keeps_the_type() {
        let bools = Elements::<f64>::Bool(Arc::new(vec![true, false]));
        assert_eq!(bools.gather(&[1, 1, 0]), Elements::Bool(Arc::new(vec![false, false, true])));
    }

    #[test]
    fn large_integers_survive_a_cast_to_their_own_type() {
        let large = Elements::<f64>::Int(Arc::new(vec![i64::MAX - 1]));
        assert_eq!(large.cast(DType::Int).unwrap(), large);
    }
}
