//! Matrix products of two values that both depend on the input (rules §4).

use super::movement::volume;
use crate::maps::{Dense, Side};
use crate::rules::Rule;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{Amount, Context, Error, Loss, Mode, Operand, PerUnit, Relevance, Result, Tensor};

/// O = A·B over the last two axes; leading axes broadcast. Default: N = R ⊘ |A||B|, with ½ on one of the three factors,
/// r_A = |A| ⊙ (N|B|ᵀ), r_B = |B| ⊙ (|A|ᵀN). Contrastive: the two-sign rule on the contributions a·b, half to each operand.
pub(in crate::ops) fn backtrace_bilinear<T: Tensor>(
    a: &Operand<T>,
    b: &Operand<T>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<[Option<Relevance<T>>; 2]> {
    match (context.rule(), relevance.mode()) {
        (Rule::Gradient, _) => {
            let (to_a, to_b) = (by_left(a, b, relevance.first())?, by_right(a, b, relevance.first())?);
            Ok([Some(Relevance::default_mode(to_a)), Some(Relevance::default_mode(to_b))])
        }
        (rule @ (Rule::Epsilon(epsilon) | Rule::First(epsilon) | Rule::Second(epsilon)), _) => {
            let z = match context.result.take() {
                Some(result) => result,
                None => a.data()?.matmul(b.data()?)?,
            };
            let per_unit = WeightedSum::per_net(&z, epsilon, relevance.first(), context)?;
            let [part_a, part_b] = parts(&rule);
            let share = |operand: &Operand<T>, by: Result<T>, part: f64| {
                Ok::<_, Error>(Some(Relevance::default_mode(by?.multiplied(operand.data()?)?.scale(part)?)))
            };
            let to_a = if part_a > 0.0 { share(a, by_left(a, b, &per_unit), part_a)? } else { None };
            let to_b = if part_b > 0.0 { share(b, by_right(a, b, &per_unit), part_b)? } else { None };
            Ok([to_a, to_b])
        }
        (Rule::Backtrace, Mode::Default) => {
            let (gross_a, gross_b) = (a.data()?.abs()?, b.data()?.abs()?);
            let PerUnit { shares: per_unit, zero, .. } =
                gross_a.matmul(&gross_b)?.divide_into_shares(None, relevance.first())?;
            context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
            // Half of everything, by halving the smallest of the three.
            let mut factors = [per_unit, gross_a, gross_b];
            if let Some(smallest) = factors.iter_mut().min_by_key(|factor| volume(&factor.shape())) {
                *smallest = smallest.scale(0.5)?;
            }
            let [per_unit, gross_a, gross_b] = factors;
            let to_a = per_unit.matmul(&gross_b.transpose()?)?.sum_to(&a.meta.shape)?;
            // In B's order in memory.
            let to_b = if b.data()?.is_column_major() {
                per_unit.transpose()?.matmul(&gross_a)?.transpose()?
            } else {
                gross_a.transpose()?.matmul(&per_unit)?
            };
            let to_b = to_b.sum_to(&b.meta.shape)?;
            Ok([
                Some(Relevance::default_mode(gross_a.multiplied(&to_a)?)),
                Some(Relevance::default_mode(gross_b.multiplied(&to_b)?)),
            ])
        }
        _ => {
            let weights = context.weights;
            let factors = [(a, b, Side::Left), (b, a, Side::Right)].map(|(operand, weight, side)| {
                let from = operand.meta.shape.clone();
                Term { operand, map: Box::new(Dense { weight, transposed: false, side, from, weights }) }
            });
            backtrace_factors(factors, Variant::Linear, relevance, context)
        }
    }
}

/// S·Bᵀ
fn by_left<T: Tensor>(a: &Operand<T>, b: &Operand<T>, per_unit: &T) -> Result<T> {
    per_unit.matmul(&b.data()?.transpose()?)?.sum_to(&a.meta.shape)
}

/// Aᵀ·S
fn by_right<T: Tensor>(a: &Operand<T>, b: &Operand<T>, per_unit: &T) -> Result<T> {
    a.data()?.transpose()?.matmul(per_unit)?.sum_to(&b.meta.shape)
}

/// The parts of R that two factors take.
fn parts(rule: &Rule) -> [f64; 2] {
    match rule {
        Rule::Gradient => [1.0, 1.0],
        Rule::First(_) => [1.0, 0.0],
        Rule::Second(_) => [0.0, 1.0],
        _ => [0.5, 0.5],
    }
}

/// Half of R for each of two factors that both depend on the input, shared by the weighted sum that the product is while the
/// other factor is fixed. Rules may give all to one factor; by the derivative, each goes by the whole.
pub(in crate::ops) fn backtrace_factors<T: Tensor>(
    factors: [Term<'_, T>; 2],
    variant: Variant,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<[Option<Relevance<T>>; 2]> {
    let parts = parts(&context.rule());
    let mut share = |factor, part: f64| {
        if part == 0.0 {
            return Ok(None);
        }
        let sum = WeightedSum { terms: vec![factor], bias: None, variant, result: None };
        let part = relevance.map(|channel| channel.scale(part))?;
        let share = sum.backtrace(&part, context)?.pop().flatten();
        share.ok_or_else(|| Error::Uncovered("both factors must depend on the input".into())).map(Some)
    };
    let [a, b] = factors;
    Ok([share(a, parts[0])?, share(b, parts[1])?])
}
