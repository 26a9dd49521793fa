//! Norms (rules §5, §10): relevance passes, or goes by the linear map that the norm is while its statistics are held fixed.

use crate::maps::LinearMap;
use crate::op::arrived;
use crate::rules::Rule;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{Affine, BacktraceOp, Context, Error, Family, Operand, Part, Relevance, Result, Role, Tensor};

/// y = γ·(x − μ)/√(σ² + ε) + β. Operands: x, and those of γ, β, μ and σ² that the norm has, each of which broadcasts to x.
#[derive(Debug, Clone)]
pub struct Norm {
    /// The statistics.
    pub statistics: Statistics,
    /// ε
    pub epsilon: f64,
    /// Whether there is a γ.
    pub scaled: bool,
    /// Whether there is a β.
    pub shifted: bool,
}

/// Where a norm takes μ and σ² from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statistics {
    /// They are the last two operands, which do not depend on x.
    Given,
    /// They are the last two operands, which were computed from x and are held fixed.
    Held,
    /// They are those of x.
    Own {
        /// The shape in which x is seen to take them.
        view: Vec<usize>,
        /// The axes of that shape over which they are taken.
        axes: Vec<usize>,
        /// Whether the mean is subtracted; otherwise σ² is the mean square.
        centred: bool,
    },
}

/// x ↦ s ⊙ (x − mean x), or s ⊙ x.
#[derive(Debug)]
struct Fixed<'a, T> {
    scale: T,
    /// The view and the axes of the mean, if it is subtracted.
    mean: Option<(&'a [usize], &'a [usize])>,
}

impl<T: Tensor> Fixed<'_, T> {
    fn centred(&self, x: &T) -> Result<T> {
        let Some((view, axes)) = self.mean else { return Ok(x.clone()) };
        let seen = x.reshape(view)?;
        seen.sub(&mean(&seen, axes)?)?.reshape(&x.shape())
    }
}

impl<T: Tensor> LinearMap<T> for Fixed<'_, T> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        signed(part)?;
        self.scale.mul(&self.centred(x)?)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        signed(part)?;
        self.centred(&self.scale.mul(y)?)
    }
}

/// The map is known as a whole, not by its positive and negative entries.
fn signed(part: Part) -> Result<()> {
    match part {
        Part::Signed => Ok(()),
        _ => Err(Error::Uncovered("a norm is no sum of contributions of one sign".into())),
    }
}

fn mean<T: Tensor>(x: &T, axes: &[usize]) -> Result<T> {
    let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    x.sum(axes, true)?.scale(1.0 / count.max(1) as f64)
}

impl<T: Tensor> BacktraceOp<T> for Norm {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Norm
    }

    fn carries(&self, input: usize) -> bool {
        input == 0
    }

    fn affine(&self, operands: &[Operand<T>]) -> Result<Option<Affine<T>>> {
        let constant = |operand: &Operand<T>| !operand.depends && operand.data.is_some();
        if self.statistics != Statistics::Given || !operands.iter().skip(1).all(constant) {
            return Ok(None);
        }
        let (Fixed { scale, .. }, bias) = self.fixed(operands)?;
        let shift = bias.map_or_else(|| scale.zeros(&[]), Ok)?;
        Ok(Some(Affine { operand: 0, scale, shift }))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(arriving)?;
        let mut shares = vec![None; operands.len()];
        match context.rule() {
            Rule::Backtrace | Rule::Pass => shares[0] = Some(relevance.clone()),
            // With given statistics it is a scale.
            Rule::Gradient if self.statistics == Statistics::Given => {
                let (Fixed { scale, .. }, _) = self.fixed(operands)?;
                shares[0] = Some(relevance.map(|channel| channel.mul(&scale))?);
            }
            Rule::Gradient => return context.differentiate(operands, &[Some(relevance.first().clone())]),
            Rule::Epsilon(_) => shares[0] = self.by_map(operands, relevance, context)?,
            rule => return Err(Error::Uncovered(format!("the rule {rule} does not serve norms"))),
        }
        Ok(shares)
    }
}

impl Norm {
    fn by_map<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Option<Relevance<T>>> {
        let (map, bias) = self.fixed(operands)?;
        let terms = vec![Term { operand: &operands[0], map: Box::new(map) }];
        let sum = WeightedSum { terms, bias, variant: Variant::Linear, result: None };
        Ok(sum.backtrace(relevance, context)?.pop().flatten())
    }

    /// The norm with its statistics held fixed: a linear map, and what it adds.
    fn fixed<T: Tensor>(&self, operands: &[Operand<T>]) -> Result<(Fixed<'_, T>, Option<T>)> {
        let mut rest = operands.iter();
        let mut next = || rest.next().ok_or_else(|| Error::Uncovered("a norm lacks an operand".into()));
        let x = next()?;
        let scale = if self.scaled { Some(next()?.data()?) } else { None };
        let shift = if self.shifted { Some(next()?.data()?) } else { None };
        let (inverse, mean, given) = match &self.statistics {
            Statistics::Given | Statistics::Held => {
                let (mean, variance) = (next()?.data()?, next()?.data()?);
                (self.inverse(variance)?, None, Some(mean))
            }
            Statistics::Own { view, axes, centred } => {
                let mean = centred.then_some((view.as_slice(), axes.as_slice()));
                (self.own(x.data()?, view, axes, *centred)?, mean, None)
            }
        };
        let scale = match scale {
            Some(scale) => inverse.mul(scale)?,
            None => inverse,
        };
        // A given mean makes γ·μ/σ a part of the constant term.
        let mut bias = shift.cloned();
        if let Some(given) = given {
            let constant = scale.mul(given)?.scale(-1.0)?;
            bias = Some(match bias {
                Some(shift) => constant.add(&shift)?,
                None => constant,
            });
        }
        Ok((Fixed { scale, mean }, bias))
    }

    /// 1 / √(σ² + ε)
    fn inverse<T: Tensor>(&self, variance: &T) -> Result<T> {
        let level = variance.to_array()?.mapv(|variance| (variance + self.epsilon).sqrt().recip());
        variance.floats(level.view())
    }

    /// 1 / √(σ² + ε) of x, in a shape that broadcasts to x.
    fn own<T: Tensor>(&self, x: &T, view: &[usize], axes: &[usize], centred: bool) -> Result<T> {
        let seen = x.reshape(view)?;
        let seen = if centred { seen.sub(&mean(&seen, axes)?)? } else { seen };
        let inverse = self.inverse(&mean(&seen.mul(&seen)?, axes)?)?;
        if view == x.shape() { Ok(inverse) } else { inverse.broadcast_to(view)?.reshape(&x.shape()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, constant, moving, numbers, relevances, values};
    use crate::{Loss, WeightCache};

    /// y of the norm, and of the map with fixed statistics its matrix, by the formula.
    fn forward(x: &[f64], gamma: &[f64], beta: &[f64], epsilon: f64, centred: bool) -> (Vec<f64>, f64, f64) {
        let count = x.len() as f64;
        let mean = if centred { x.iter().sum::<f64>() / count } else { 0.0 };
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        let y = x.iter().zip(gamma).zip(beta).map(|((x, gamma), beta)| gamma * (x - mean) * inverse + beta);
        (y.collect(), mean, inverse)
    }

    /// r_i = x_i · Σ_j γ_j/σ·(δ_ij − 1/n) · R_j / (y_j + ε·sign y_j), row by row.
    #[test]
    fn shares_are_those_of_the_map_with_fixed_statistics() {
        let (x, gamma, beta) = (numbers(&[3, 5], 1), numbers(&[5], 2), numbers(&[5], 3));
        let relevance = relevances(&[3, 5])[0].clone();
        for centred in [true, false] {
            let statistics = Statistics::Own { view: vec![3, 5], axes: vec![1], centred };
            let norm = Norm { statistics, epsilon: 1e-3, scaled: true, shifted: true };
            let weights = WeightCache::new(0);
            let mut context = Context::new(&weights).with_rule(Rule::Epsilon(1e-6));
            let operands = [moving(x.clone()), constant(gamma.clone()), constant(beta.clone())];
            let shares = norm.backtrace(&operands, &[Some(relevance.clone())], &mut context).unwrap();
            let (r, gamma, beta) = (values(relevance.first()), values(&gamma), values(&beta));
            let mut expected = Vec::new();
            for (x, r) in values(&x).chunks(5).zip(r.chunks(5)) {
                let (y, _, inverse) = forward(x, &gamma, &beta, 1e-3, centred);
                let s: Vec<f64> =
                    (0..5).map(|j| gamma[j] * inverse * r[j] / (y[j] + 1e-6 * y[j].signum())).collect();
                let mean = if centred { s.iter().sum::<f64>() / 5.0 } else { 0.0 };
                expected.extend((0..5).map(|i| x[i] * (s[i] - mean)));
            }
            assert_close(&values(shares[0].as_ref().unwrap().first()), &expected, 1e-10);
            let handed: f64 = expected.iter().sum();
            let lost: f64 = context.lost().values().map(|amount| amount.positive).sum();
            assert_close(&[handed + lost], &[r.iter().sum()], 1e-9);
            assert!(context.lost().contains_key(&Loss::Bias));
        }
    }

    /// A norm by groups sees x in another shape; one by given statistics is a scale and a constant.
    #[test]
    fn groups_and_given_statistics() {
        let x = numbers(&[2, 4, 3], 4);
        let relevance = relevances(&[2, 4, 3])[0].clone();
        let weights = WeightCache::new(0);
        let share = |norm: &Norm, operands: &[Operand<Array>]| {
            let mut context = Context::new(&weights).with_rule(Rule::Epsilon(1e-9));
            let shares = norm.backtrace(operands, &[Some(relevance.clone())], &mut context).unwrap();
            values(shares[0].as_ref().unwrap().first())
        };
        let plain = |statistics| Norm { statistics, epsilon: 1e-5, scaled: false, shifted: false };
        let grouped = plain(Statistics::Own { view: vec![2, 2, 6], axes: vec![2], centred: true });
        let rows = plain(Statistics::Own { view: vec![4, 6], axes: vec![1], centred: true });
        let seen = x.reshape(&[4, 6]).unwrap();
        let flat = relevance.map(|channel| channel.reshape(&[4, 6])).unwrap();
        let mut context = Context::new(&weights).with_rule(Rule::Epsilon(1e-9));
        let expected = rows.backtrace(&[moving(seen)], &[Some(flat)], &mut context).unwrap();
        assert_close(
            &share(&grouped, &[moving(x.clone())]),
            &values(expected[0].as_ref().unwrap().first()),
            1e-12,
        );
        let (mean, variance) = (numbers(&[1, 4, 1], 5), numbers(&[1, 4, 1], 6).abs().unwrap());
        let found = share(
            &plain(Statistics::Given),
            &[moving(x.clone()), constant(mean.clone()), constant(variance.clone())],
        );
        let (x, r) = (values(&x), values(relevance.first()));
        let mean = values(&mean);
        let expected: Vec<f64> = (0..24).map(|i| x[i] / (x[i] - mean[i / 3 % 4]) * r[i]).collect();
        assert_close(&found, &expected, 1e-5);
    }
}
