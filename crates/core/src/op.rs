//! One executed operator, as the walk sees it.

use crate::ops::Transform;
use crate::rules::Rule;
use crate::{
    Affine, Amount, Derivative, Error, Features, Loss, Operand, Relevance, Result, Rows, Tensor, WeightCache,
};
use std::collections::BTreeMap;
use std::fmt;

/// The kinds of rule (rules §0, §2–§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Family {
    /// y = Wx + b, rules §2.
    WeightedSum,
    /// The largest (smallest) cell takes it, rules §3.
    Winner,
    /// Product of two values that depend on the input, rules §4.
    Product,
    /// Unchanged, rules §5.
    Pass,
    /// Elements move, rules §5.
    Movement,
    /// Rows of a table looked up by tokens, rules §5.
    Embedding,
    /// A statistic that has a rule only as part of a normaliser (rules, "Written out and in one operator").
    Statistic,
    /// What numbers decide: comparisons, bins, signs (rules, "Decisions that the model takes").
    Decision,
    /// The result carries no relevance.
    Constant,
    /// No rule.
    Unruled,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WeightedSum => "weighted sum",
            Self::Winner => "winner",
            Self::Product => "product",
            Self::Pass => "pass",
            Self::Movement => "movement",
            Self::Embedding => "embedding",
            Self::Statistic => "part of a normaliser",
            Self::Decision => "decision",
            Self::Constant => "carries nothing",
            Self::Unruled => "none",
        })
    }
}

/// A function applied to each element of one operand; softmax acts along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Function {
    /// tanh
    Tanh,
    /// Logistic sigmoid.
    Sigmoid,
    /// Softmax along an axis.
    Softmax,
    /// max(x, 0)
    Rectifier,
    /// x · σ(βx)
    Swish {
        /// The β.
        beta: f64,
    },
    /// A bounded function other than those above: erf, hard sigmoid, clamp, relu6 …
    Bounded,
    /// eˣ
    Exp,
    /// ln x
    Log,
    /// Multiplication by a constant number.
    Scale(f64),
    /// xᵃ, square roots and reciprocals included.
    Power(f64),
    /// |x| or a clamp from below: functions that turn a statistic into a statistic.
    Magnitude,
    /// Any other.
    Other,
}

impl Function {
    /// R times the derivative in terms of the result y, if that is all it needs.
    pub fn slope<T: Tensor>(self) -> Option<fn(&T, &T) -> Result<T>> {
        match self {
            Self::Rectifier => Some(|r, y| r.where_positive(y)),
            Self::Tanh => Some(|r, y| r.mul(&y.mul(y)?.complement()?)),
            Self::Sigmoid => Some(|r, y| r.mul(&y.mul(&y.complement()?)?)),
            _ => None,
        }
    }
}

/// What an operator means to its neighbours on the tape: all that the analyses need to know of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// A weighted sum with constant weights over the last `features` axes of its output. It takes a bias as its third operand,
    /// and the activation after it may gate it.
    Linear {
        /// Number of trailing axes of the output that count output features.
        features: usize,
    },
    /// A convolution, transposed or not.
    Convolution {
        /// Number of spatial axes.
        spatial: usize,
        /// Whether the output's channels come after the spatial axes; otherwise before.
        channels_last: bool,
    },
    /// A function of operand 0.
    Function(Function),
    /// Dropout in evaluation mode, a cast or a copy of operand 0.
    Identity,
    /// Sum or difference of the operands.
    Sum {
        /// Whether it is just a + b of two operands.
        plain: bool,
        /// The number that is added to the operands.
        constant: f64,
    },
    /// Product of operands 0 and 1.
    Product,
    /// Constants at places that tokens name; counts are sums of these.
    Ones,
    /// A decision about each element of the operands: a comparison, a bin, a sign.
    Comparison,
    /// A function of integers, element by element, which has no rule for numbers.
    Discrete,
    /// Product of the complex operands 0 and 1, element by element.
    ComplexProduct,
    /// Operand 0, of real numbers, as complex ones.
    AsComplex,
    /// A Fourier transform of operand 0.
    Fourier {
        /// From what to what.
        transform: Transform,
        /// The axis, not that of real and imaginary parts.
        axis: usize,
        /// How many points it has in time.
        points: usize,
    },
    /// Matrix product of operands 0 and 1 over the last two axes; both depend on the input.
    Bilinear,
    /// Softmax-weighted sums of values, with the heads on the third axis from the end.
    Attention,
    /// A recurrent layer.
    Recurrent,
    /// Operand 0 divided by operand 1. If the numerator is constant it may be left out, and operand 0 is the divisor.
    Quotient,
    /// Operand 0 reduced along axes to a statistic: mean, sum, largest, norm, variance …
    Reduction,
    /// Averages over windows of operand 0.
    Windows,
    /// Operand 0 normalised; a scale and a shift for each feature may still follow.
    Norm,
    /// The logarithm of a sum of exponentials of operand 0 along axes.
    LogSumExp,
    /// Elements of operand 0 moved.
    Movement,
    /// Elements of other operands, chosen by operand 0.
    Choice,
    /// Operand 0 under another shape.
    Reshape,
    /// None of these.
    Other,
}

/// How a movement of all elements of operand 0 turns its axes. If an operator lacks an attribute in its framework, a model
/// writes the attribute as a movement before the operator and a movement after it that takes the first one back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// The same elements in the same order, under another shape.
    Reshape,
    /// Axis `i` of the output is axis `order[i]` of the operand.
    Permute(Vec<usize>),
    /// Along axis `i + 1`, the elements at every `blocks[i]`-th index, counted from each start, become samples of the first axis
    /// (`apart`), or go back to their places. The other axes stay.
    Blocks {
        /// The distance along each axis after the first.
        blocks: Vec<usize>,
        /// Whether they are taken apart; otherwise they are put together.
        apart: bool,
    },
    /// Constants are put around the operand.
    Border,
}

/// The gate that a saturated activation puts on the weighted sum before it (rules §2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Below this, positive contributions do not count.
    pub lower: Option<f64>,
    /// Above this, negative contributions do not count.
    pub upper: Option<f64>,
    /// β of x·σ(βx), if the activation is such a function, which is not monotone.
    pub swish: Option<f64>,
}

impl Gate {
    /// The gate of an activation; `None` for most functions.
    pub fn of(function: Function) -> Option<Self> {
        let gate = |lower, upper, swish| Some(Self { lower: Some(lower), upper, swish });
        match function {
            Function::Tanh => gate(-2.0, Some(2.0), None),
            Function::Sigmoid => gate(-4.0, Some(4.0), None),
            Function::Softmax => gate(-1.0, Some(2.0), None),
            Function::Swish { beta } => gate(-6.0, None, Some(beta)),
            _ => None,
        }
    }
}

/// What a rule works with besides its operands.
#[derive(Debug)]
pub struct Context<'a, T> {
    /// Parts of parameters kept between explanations.
    pub weights: &'a WeightCache<T>,
    /// The gate of this step (default mode only).
    pub gate: Option<Gate>,
    /// The rule that the rule set has for this step.
    rule: Rule,
    /// Whether the step asked for its rule.
    asked: bool,
    /// The derivative of the step's operator, if it is known.
    derivative: Option<&'a dyn Derivative<T>>,
    /// The step's result, if it is known.
    pub(crate) result: Option<T>,
    pub(crate) lost: BTreeMap<Loss, Amount>,
}

impl<'a, T: Tensor> Context<'a, T> {
    /// A context without a gate.
    pub fn new(weights: &'a WeightCache<T>) -> Self {
        let rule = Rule::default();
        Self {
            weights,
            gate: None,
            rule,
            asked: false,
            derivative: None,
            result: None,
            lost: BTreeMap::new(),
        }
    }

    /// The same for a step that takes this rule.
    #[must_use]
    pub fn with_rule(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// The same for a step whose operator has this derivative.
    #[must_use]
    pub(crate) fn with_derivative(self, derivative: Option<&'a dyn Derivative<T>>) -> Self {
        Self { derivative, ..self }
    }

    /// A context for a part of the same step.
    pub(crate) fn part(&self) -> Self {
        Self::new(self.weights).with_rule(self.rule.clone())
    }

    /// Jᵀ·R for each operand that depends on an explained input.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if the derivative is not known.
    pub(crate) fn differentiate(
        &mut self,
        operands: &[Operand<T>],
        arriving: &[Option<T>],
    ) -> Result<Vec<Option<Relevance<T>>>> {
        self.asked = true;
        let derivative = self
            .derivative
            .ok_or_else(|| Error::Uncovered("its derivative is not known, which its rule needs".into()))?;
        let moving: Vec<&Operand<T>> = operands.iter().filter(|operand| operand.depends).collect();
        let mut wanted: Vec<_> = moving.iter().map(|operand| operand.value).collect();
        // A value that is an operand twice has one derivative.
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = derivative.adjoint(&wanted, arriving)?;
        let taken = |operand: &Operand<T>| {
            let index = wanted.binary_search(&operand.value).ok().filter(|_| operand.depends)?;
            found.get_mut(index)?.take().map(Relevance::default_mode)
        };
        Ok(operands.iter().map(taken).collect())
    }

    /// The rule that the step takes.
    pub(crate) fn rule(&mut self) -> Rule {
        self.asked = true;
        self.rule.clone()
    }

    /// The rule of the step, if the step takes its own one without asking.
    pub(crate) fn ignored(&self) -> Option<Rule> {
        (self.rule != Rule::Backtrace && !self.asked).then(|| self.rule.clone())
    }

    /// Books what landed on constants as taken by the decision that chose them.
    pub(crate) fn chosen(&mut self) {
        for loss in [Loss::Unexplained, Loss::Padding] {
            let landed = self.lost.remove(&loss).unwrap_or_default();
            self.lose(Loss::Decision, landed);
        }
    }

    /// Books a loss.
    pub fn lose(&mut self, loss: Loss, amount: Amount) {
        if !amount.is_zero() {
            *self.lost.entry(loss).or_default() += amount;
        }
    }

    /// What has been booked so far.
    pub fn lost(&self) -> &BTreeMap<Loss, Amount> {
        &self.lost
    }
}

/// One operator: takes the relevance of its outputs to the relevance of its operands.
pub trait BacktraceOp<T: Tensor>: fmt::Debug + Send {
    /// The kind of rule.
    fn family(&self) -> Family;

    /// What the operator means to its neighbours.
    fn role(&self, operands: &[Operand<T>]) -> Role {
        let _ = operands;
        Role::Other
    }

    /// How it turns the axes of operand 0, if it is a movement that does nothing else.
    fn turn(&self) -> Option<Turn> {
        None
    }

    /// Whether relevance can flow to this operand when it depends on an explained input.
    fn carries(&self, input: usize) -> bool {
        let _ = input;
        true
    }

    /// Whether this operand is multiplied by others: as a factor of a number, a decision takes nothing.
    fn multiplies(&self, input: usize) -> bool {
        let _ = input;
        false
    }

    /// Whether relevance passes, but no derivative.
    fn detaches(&self) -> bool {
        false
    }

    /// How the elements of the only operand move, in words; equal words mean equal movement.
    fn movement(&self) -> Option<String> {
        None
    }

    /// How the rows of an operand contribute to those of the only output, if the rule can explain each row of the output by
    /// itself.
    fn rows(&self, operands: &[Operand<T>], input: usize) -> Option<Rows> {
        let _ = (operands, input);
        None
    }

    /// Whether a rule may read the step's result, as its outputs hold it, because that saves computing it or is the only way.
    fn reads_result(&self) -> bool {
        self.family() == Family::Embedding
    }

    /// Where the weights count features, if it is a layer with constant weights that knows.
    fn features(&self, operands: &[Operand<T>]) -> Option<Features> {
        let _ = operands;
        None
    }

    /// What it does to one operand, if it only scales and shifts that by constants whose data is known.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    fn affine(&self, operands: &[Operand<T>]) -> Result<Option<Affine<T>>> {
        let _ = operands;
        Ok(None)
    }

    /// Why an operator of a ruled kind has no rule for the arguments of this call.
    fn uncovered(&self) -> Option<&str> {
        None
    }

    /// The relevance of each operand, `None` if nothing flows to it. `arriving` holds the relevance that arrived at each
    /// output, `None` if none did; at least one is present. The rule books what is lost in the context.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Uncovered`] or [`Error::Tensor`].
    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>>;
}

impl<T: Tensor> Operand<T> {
    /// The recorded data.
    ///
    /// # Errors
    /// [`Error::NotKept`] if the recording dropped it.
    pub fn data(&self) -> Result<&T> {
        self.data
            .as_ref()
            .ok_or_else(|| Error::NotKept { what: format!("the operand of shape {:?}", self.meta.shape) })
    }
}

/// The relevance that arrived at output 0, for operators whose other outputs carry none.
///
/// # Errors
/// [`Error::Uncovered`] if nothing arrived at output 0.
pub(crate) fn arrived<T: Tensor>(arriving: &[Option<Relevance<T>>]) -> Result<&Relevance<T>> {
    arriving
        .first()
        .and_then(Option::as_ref)
        .ok_or_else(|| Error::Uncovered("relevance arrived only at outputs that carry none".into()))
}
