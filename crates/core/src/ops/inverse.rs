//! Inverses of matrices as weighted sums (rules §2 and "Functions of two values and of matrices").

use super::exactly;
use crate::maps::LinearMap;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Family, Operand, Part, Relevance, Result, Tensor};

/// A⁻¹ = P·A·P with the constant P = A⁻¹, over the last two axes. For a matrix that is not square, P is its pseudo-inverse, for
/// which the same holds. Operands: A, P.
/// the same holds. Operands: A, P.
#[derive(Debug, Clone, Copy)]
pub struct Inverse;

/// x ↦ P·x·P
#[derive(Debug)]
struct Between<'a, T> {
    p: &'a T,
}

impl<T: Tensor> Between<'_, T> {
    /// The sum over the pairs of parts of P that make this part of the map, since a product of two entries has the sign of both.
    fn map(&self, part: Part, x: &T, transposed: bool) -> Result<T> {
        use Part::{Abs, Negative, Ones, Positive, Signed, Square};
        let pairs: &[[Part; 2]] = match part {
            Signed => &[[Signed, Signed]],
            Abs => &[[Abs, Abs]],
            Square => &[[Square, Square]],
            Ones => &[[Ones, Ones]],
            Positive => &[[Positive, Positive], [Negative, Negative]],
            Negative => &[[Positive, Negative], [Negative, Positive]],
        };
        let p = if transposed { self.p.transpose()? } else { self.p.clone() };
        let products = pairs.iter().map(|[left, right]| left.of(&p)?.matmul(x)?.matmul(&right.of(&p)?));
        let mut products = products.collect::<Result<Vec<_>>>()?.into_iter();
        let first = products.next().unwrap_or_else(|| x.clone());
        products.try_fold(first, |sum, product| sum.add(&product))
    }
}

impl<T: Tensor> LinearMap<T> for Between<'_, T> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        self.map(part, x, false)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        self.map(part, y, true)
    }
}

impl<T: Tensor> BacktraceOp<T> for Inverse {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn carries(&self, input: usize) -> bool {
        input == 0
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [matrix, inverse] = exactly(operands)?;
        let terms = vec![Term { operand: matrix, map: Box::new(Between { p: inverse.data()? }) }];
        let mut shares = WeightedSum { terms, bias: None, variant: Variant::Linear, result: None }
            .backtrace(arrived(arriving)?, context)?;
        shares.push(None);
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, constant, moving, numbers, relevances, values,
    };

    #[test]
    fn a_matrix_takes_the_relevance_of_its_inverse_by_the_products_that_make_it() {
        let a = Array::from_slice(&[2, 2], &[2.0, -1.0, 0.5, 3.0]);
        let p = Array::from_slice(&[2, 2], &[3.0 / 6.5, 1.0 / 6.5, -0.5 / 6.5, 2.0 / 6.5]);
        let (x, w) = (values(&a), values(&p));
        let relevance = &relevances(&[2, 2])[0];
        let r = values(relevance.first());
        let (shares, lost) = backtrace(&Inverse, &[moving(a), constant(p)], &[Some(relevance.clone())]);
        assert!(lost.is_empty());
        // Contributions p_ki · a_ij · p_jl of each a_ij to each entry kl.
        let part = |k: usize, l: usize, i: usize, j: usize| w[2 * k + i] * x[2 * i + j] * w[2 * j + l];
        let cells = || (0..4).map(|cell| (cell / 2, cell % 2));
        for (k, l) in cells() {
            let whole: f64 = cells().map(|(i, j)| part(k, l, i, j)).sum();
            assert_close(&[whole], &[w[2 * k + l]], 1e-12);
        }
        let share = |(i, j): (usize, usize)| -> f64 {
            let of = |(k, l): (usize, usize)| {
                let gross: f64 = cells().map(|(i, j)| part(k, l, i, j).abs()).sum();
                r[2 * k + l] * part(k, l, i, j).abs() / gross
            };
            cells().map(of).sum()
        };
        let expected: Vec<f64> = cells().map(share).collect();
        assert_close(&values(shares[0].as_ref().unwrap().first()), &expected, 1e-12);
    }

    #[test]
    fn batches_and_both_modes_are_conserved() {
        for relevance in relevances(&[3, 2, 4]) {
            let inputs = [moving(numbers(&[3, 4, 2], 1)), constant(numbers(&[3, 2, 4], 2))];
            let (shares, lost) = backtrace(&Inverse, &inputs, &[Some(relevance.clone())]);
            let kept = shares[0].as_ref().unwrap().first().total().unwrap();
            let missing: f64 = lost.values().map(|amount| amount.positive).sum();
            assert_close(&[kept + missing], &[relevance.first().total().unwrap()], 1e-9);
        }
    }
}
