//! Relevance handed on unchanged (rules §5): activations, norms, identities, and written-out forms of these.

use crate::op::arrived;
use crate::rules::Rule;
use crate::{
    Amount, BacktraceOp, Context, Error, Family, Function, Loss, Operand, Relevance, Result, Role, Rows,
    Tensor,
};

/// r = R on one operand; nothing on the others.
#[derive(Debug, Clone)]
pub struct Pass {
    /// The operand that receives.
    pub operand: usize,
    /// What the operator means to its neighbours.
    pub role: Role,
}

impl Pass {
    /// A function of operand 0.
    pub fn function(function: Function) -> Self {
        Self { operand: 0, role: Role::Function(function) }
    }

    /// Dropout in evaluation mode, a cast, a copy of operand 0.
    pub fn identity() -> Self {
        Self { operand: 0, role: Role::Identity }
    }

    /// A norm: scale, shift and statistics are constants.
    pub fn norm() -> Self {
        Self { operand: 0, role: Role::Norm }
    }
}

impl<T: Tensor> BacktraceOp<T> for Pass {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        self.role
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        // The other operands of a norm may have any shape.
        matches!(self.role, Role::Function(_) | Role::Identity).then_some(Rows::Same)
    }

    fn carries(&self, input: usize) -> bool {
        input == self.operand
    }

    fn reads_result(&self) -> bool {
        matches!(self.role, Role::Function(function) if function == Function::Softmax || function.slope::<T>().is_some())
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(arriving)?;
        let operand = operands.get(self.operand).ok_or_else(|| {
            Error::Uncovered(format!("operand {} of {} is missing", self.operand, operands.len()))
        })?;
        let positive = || relevance.map(Tensor::positive);
        match context.rule() {
            Rule::Gradient => match self.role {
                Role::Function(Function::Scale(factor)) => {
                    self.pass(operands, operand, &relevance.map(|channel| channel.scale(factor))?)
                }
                _ => self.slope(operands, operand, relevance, context),
            },
            Rule::Guided => self.slope(operands, operand, &positive()?, context),
            Rule::Taylor => expanded(operands, operand, relevance, context),
            Rule::Closed => {
                context.lose(Loss::Closed, relevance.amount()?);
                Ok(vec![None; operands.len()])
            }
            Rule::Deconvolution => self.pass(operands, operand, &positive()?),
            Rule::Backtrace | Rule::Pass => self.pass(operands, operand, relevance),
            rule => Err(Error::Uncovered(format!("the rule {rule} does not serve it"))),
        }
    }
}

impl Pass {
    /// R times the derivative.
    fn slope<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        operand: &Operand<T>,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let known = match self.role {
            Role::Function(function) => function.slope().zip(context.result.take()),
            _ => None,
        };
        match known {
            Some((slope, y)) => self.pass(operands, operand, &relevance.map(|channel| slope(channel, &y))?),
            None => context.differentiate(operands, &[Some(relevance.first().clone())]),
        }
    }

    fn pass<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        operand: &Operand<T>,
        relevance: &Relevance<T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let mut shares = vec![None; operands.len()];
        shares[self.operand] = Some(if relevance.shape() == operand.meta.shape {
            relevance.clone()
        } else {
            // If the operand was broadcast to a larger constant, the adjoint adds the copies up.
            relevance.map(|channel| channel.sum_to(&operand.meta.shape))?
        });
        Ok(shares)
    }
}

/// x ⊙ Jᵀ(R ⊘ y): the first-order term of the expansion of y = f(x) around x. The rest is its constant term.
fn expanded<T: Tensor>(
    operands: &[Operand<T>],
    operand: &Operand<T>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let x = operand.data()?.bounded()?;
    let unknown = || Error::NotKept { what: "the result that is expanded".into() };
    let y = context.result.take().ok_or_else(unknown)?;
    let (per_unit, zero) = relevance.first().quotient(&y)?;
    context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
    let terms = context.differentiate(operands, &[Some(per_unit)])?;
    let times_x = |term: Option<Relevance<T>>| term.map(|term| term.map(|term| term.mul(&x))).transpose();
    let shares = terms.into_iter().map(times_x).collect::<Result<Vec<_>>>()?;
    let handed = shares.iter().flatten().map(Relevance::amount).sum::<Result<Amount>>()?;
    context.lose(Loss::Remainder, relevance.amount()? - Amount::default_mode(zero) - handed);
    Ok(shares)
}
