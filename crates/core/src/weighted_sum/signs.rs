//! Contributions by sign: p and n of each unit, and what each sign receives.

use super::Term;
use crate::maps::LinearMap;
use crate::{Part, Result, Tensor};

/// The positive and the negative contributions of each unit: p = Σ max(c, 0), n = Σ max(−c, 0).
#[derive(Debug)]
pub(crate) struct Signs<T> {
    pub(crate) positive: T,
    pub(crate) negative: T,
}

/// A term whose operand is split by sign, x = x⁺ − x⁻.
pub(super) struct SignedParts<'a, T> {
    map: &'a dyn LinearMap<T>,
    up: T,
    /// `None` if nothing is negative, as after a ReLU: this saves half the products.
    down: Option<T>,
}

impl<T: Tensor> Term<'_, T> {
    pub(super) fn halves(&self) -> Result<SignedParts<'_, T>> {
        let (up, down) = (self.operand.data()?.positive()?, self.operand.data()?.negative()?);
        let down = if down.total()? == 0.0 { None } else { Some(down) };
        Ok(SignedParts { map: &*self.map, up, down })
    }
}

impl<T: Tensor> SignedParts<'_, T> {
    /// p = W⁺x⁺ + W⁻x⁻ and n = W⁺x⁻ + W⁻x⁺. The products with W± and x± are separate, so that the absence of a sign is an
    /// exact 0.
    fn contributions(&self) -> Result<Signs<T>> {
        let mut positive = self.map.apply(Part::Positive, &self.up)?;
        let mut negative = self.map.apply(Part::Negative, &self.up)?;
        if let Some(down) = &self.down {
            positive = positive.add(&self.map.apply(Part::Negative, down)?)?;
            negative = negative.add(&self.map.apply(Part::Positive, down)?)?;
        }
        Ok(Signs { positive, negative })
    }

    /// x⁺ ⊙ (W⁺ᵀS₊ + W⁻ᵀS₋) + x⁻ ⊙ (W⁻ᵀS₊ + W⁺ᵀS₋): positive contributions take their share of S₊, negative ones of S₋. Two
    /// products with |W| and W would give the same, but cancel where one sign is small, because S = R/p is huge there.
    pub(super) fn share(&self, positive: &T, negative: &T) -> Result<T> {
        let given = |to_positive, to_negative| -> Result<T> {
            self.map.adjoint(to_positive, positive)?.add(&self.map.adjoint(to_negative, negative)?)
        };
        let share = self.up.mul(&given(Part::Positive, Part::Negative)?)?;
        match &self.down {
            None => Ok(share),
            Some(down) => share.add(&down.mul(&given(Part::Negative, Part::Positive)?)?),
        }
    }
}

impl<T: Tensor> Signs<T> {
    /// The sum over all terms; `None` if there are none.
    pub(super) fn of<'a>(terms: impl IntoIterator<Item = &'a SignedParts<'a, T>>) -> Result<Option<Self>> {
        terms.into_iter().map(SignedParts::contributions).try_fold(None, |sum: Option<Self>, signs| {
            let signs = signs?;
            Ok(Some(match sum {
                Some(sum) => Signs {
                    positive: sum.positive.add(&signs.positive)?,
                    negative: sum.negative.add(&signs.negative)?,
                },
                None => signs,
            }))
        })
    }
}
