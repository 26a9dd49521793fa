//! The weighted sum y = Σₖ Wₖxₖ + b (rules §2): written once, shared by every linear operator.

mod boxed;
mod by_weights;
mod contrastive;
mod gated;
mod prepared;
mod signed;
mod signs;

pub(crate) use prepared::Prepared;
pub(crate) use signs::Signs;

use crate::maps::{Broadcast, LinearMap};
use crate::rules::Rule;
use crate::{Amount, Context, Error, Loss, Mode, Operand, Part, PerUnit, Relevance, Result, Tensor};

/// How contrastive mode treats units (rules, "Which layers have the convolution variant").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// A unit whose contributions have one sign shares both channels among them.
    Linear,
    /// Every unit uses the two-sign test.
    Convolution,
}

/// One operand of a weighted sum with its map.
#[derive(Debug)]
pub struct Term<'a, T> {
    /// The operand x. A constant one acts as a bias does (rules, "Constants"): its share is booked as [`Loss::Constant`], and in
    /// contrastive mode it only decides the sign.
    pub operand: &'a Operand<T>,
    /// The map W.
    pub map: Box<dyn LinearMap<T> + 'a>,
}

impl<'a, T: Tensor> Term<'a, T> {
    /// x as its own term, with the identity as its map.
    pub(crate) fn itself(operand: &'a Operand<T>) -> Self {
        let from = operand.meta.shape.clone();
        Self { operand, map: Box::new(Broadcast { factor: 1.0, from }) }
    }

    /// The shares of Wx and b in y = Wx + b, where b may be a constant.
    pub(crate) fn backtrace_biased(
        self,
        bias: Option<&'a Operand<T>>,
        variant: Variant,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<[Option<Relevance<T>>; 2]> {
        let mut terms = vec![self];
        terms.extend(bias.filter(|bias| bias.depends).map(Term::itself));
        let constant = bias.filter(|bias| !bias.depends).map(Operand::data).transpose()?.cloned();
        let sum = WeightedSum { terms, bias: constant, variant, result: context.result.take() };
        let mut found = sum.backtrace(relevance, context)?.into_iter();
        Ok([found.next().flatten(), found.next().flatten()])
    }
}

/// y = Σₖ Wₖxₖ + b.
#[derive(Debug)]
pub struct WeightedSum<'a, T> {
    /// The operands. The first has the rank of y, so that biases and broadcast operands add to it.
    pub terms: Vec<Term<'a, T>>,
    /// b, in a shape that broadcasts to y.
    pub bias: Option<T>,
    /// The treatment of units in contrastive mode, and of gates in default mode.
    pub variant: Variant,
    /// y, if it is known: a gate reads it.
    pub result: Option<T>,
}

impl<T: Tensor> WeightedSum<'_, T> {
    /// The relevance of each operand, `None` for constants.
    ///
    /// # Errors
    /// [`Error::Tensor`] or [`Error::NotKept`].
    pub fn backtrace(
        &self,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let arrived = relevance.first();
        match (context.rule(), relevance.mode(), context.gate) {
            (Rule::Gradient, ..) => self.gradient(arrived),
            (Rule::Epsilon(epsilon) | Rule::First(epsilon) | Rule::Second(epsilon), ..) => {
                self.epsilon(epsilon, arrived, context)
            }
            (Rule::Gamma(gamma), ..) => self.gamma(gamma, arrived, context),
            (Rule::AlphaBeta(alpha, beta), ..) => self.alpha_beta([alpha, beta], arrived, context),
            (Rule::ZPlus, ..) => self.alpha_beta([1.0, 0.0], arrived, context),
            (Rule::WSquare, ..) => {
                let bias = self.bias.as_ref().map(|bias| Part::Square.of(bias)).transpose()?;
                self.by_weights(Part::Square, bias, arrived, context)
            }
            // A bias is no connection.
            (Rule::Flat | Rule::Half, ..) => self.by_weights(Part::Ones, None, arrived, context),
            (Rule::Box(bounds), ..) => self.boxed(&bounds, arrived, context),
            (Rule::SignedBacktrace, ..) => self.signed(arrived, context),
            (Rule::Backtrace, Mode::Contrastive, _) => self.contrastive(relevance, context),
            (Rule::Backtrace, Mode::Default, Some(gate)) => self.gated(arrived, gate, context),
            (Rule::Backtrace, Mode::Default, None) => self.unsaturated(arrived, context),
            (rule, ..) => Err(Error::Uncovered(format!("the rule {rule} does not serve the sum in it"))),
        }
    }

    /// Wᵀ·R.
    fn gradient(&self, relevance: &T) -> Result<Vec<Option<Relevance<T>>>> {
        let share = |Term { operand, map }: &Term<'_, T>| {
            let share = || map.adjoint(Part::Signed, relevance).map(Relevance::default_mode);
            operand.depends.then(share).transpose()
        };
        self.terms.iter().map(share).collect()
    }

    /// r = |x| ⊙ |W|ᵀ ( R ⊘ (|W||x| + |b|) ): two applications of the operator.
    fn unsaturated(&self, relevance: &T, context: &mut Context<'_, T>) -> Result<Vec<Option<Relevance<T>>>> {
        let mut gross: Option<T> = None;
        let mut magnitudes = Vec::with_capacity(self.terms.len());
        let mut constants = Vec::new();
        for Term { operand, map } in &self.terms {
            let magnitude = operand.data()?.abs()?;
            let share = map.apply(Part::Abs, &magnitude)?;
            if !operand.depends {
                constants.push(share.clone());
            }
            gross = Some(match gross {
                Some(gross) => gross.add(&share)?,
                None => share,
            });
            magnitudes.push(magnitude);
        }
        let Some(gross) = gross else { return Ok(Vec::new()) };
        let per_unit = self.per_unit(gross, relevance, context)?;
        for constant in constants {
            context.lose(Loss::Constant, Amount::default_mode(per_unit.dot(&constant)?));
        }
        self.terms
            .iter()
            .zip(magnitudes)
            .map(|(Term { operand, map }, magnitude)| {
                if !operand.depends {
                    return Ok(None);
                }
                let share = magnitude.multiplied(&map.adjoint(Part::Abs, &per_unit)?)?;
                Ok(Some(Relevance::default_mode(share)))
            })
            .collect()
    }

    /// S = R ⊘ (g + |b|). Books the relevance of units whose denominator is 0, and the share of the bias.
    fn per_unit(&self, gross: T, relevance: &T, context: &mut Context<'_, T>) -> Result<T> {
        let bias = self.bias.as_ref().map(Tensor::abs).transpose()?;
        let PerUnit { shares, zero, bias: to_bias } = gross.divide_into_shares(bias.as_ref(), relevance)?;
        book(zero, bias.map(|_| to_bias), context);
        Ok(shares)
    }
}

/// Books the relevance of units whose denominator is 0, and the share of the bias.
fn book<T: Tensor>(zero: f64, bias: Option<f64>, context: &mut Context<'_, T>) {
    context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
    context.lose(Loss::Bias, Amount::default_mode(bias.unwrap_or_default()));
}
