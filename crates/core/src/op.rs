//! One executed operator, as the walk sees it.

use crate::ops::Transform;
use crate::{Amount, Error, Loss, Operand, Relevance, Result, Rows, Tensor, WeightCache};
use std::collections::BTreeMap;
use std::fmt;

/// The kinds of rule (rules §0, §2–§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
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
    /// A statistic with a rule only as part of a normaliser, rules §9.
    Statistic,
    /// What numbers decide: comparisons, bins, signs, rules §9.
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

/// A function applied to each element of one operand (or, for softmax, along an axis).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Function {
    /// tanh
    Tanh,
    /// Logistic sigmoid.
    Sigmoid,
    /// Softmax along an axis.
    Softmax,
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
    /// |x|, negation of nothing else, lower bounds: what may stand in a statistic.
    Magnitude,
    /// Any other.
    Other,
}

/// What an operator is to its neighbours on the tape: all that the analyses need to know of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// A weighted sum with constant weights over the last `features` axes of its output; takes a bias as
    /// third operand and may be gated by the activation that follows.
    Linear {
        /// Number of trailing axes of the output that count output features.
        features: usize,
    },
    /// A convolution, transposed or not.
    Convolution {
        /// Number of spatial axes.
        spatial: usize,
        /// Whether the output's channels stand behind them, else before.
        channels_last: bool,
    },
    /// A function of operand 0.
    Function(Function),
    /// Dropout in evaluation mode, casts, copies of operand 0.
    Identity,
    /// Sum or difference of the operands.
    Sum {
        /// Whether it is a + b of two operands and nothing else.
        plain: bool,
        /// The number that is added besides.
        constant: f64,
    },
    /// Product of operands 0 and 1.
    Product,
    /// Constants where tokens say: what counts are summed of.
    Ones,
    /// What each element of the operands decides: a comparison, a bin, a sign.
    Comparison,
    /// A function of integers, element by element, that numbers have no rule for.
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
    /// Operand 0 divided by operand 1; a constant numerator may be left out, then operand 0 is the divisor.
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

/// How a movement of all elements of operand 0 turns its axes. What an operator's framework lacks as an attribute it writes
/// as a movement before the operator and one behind it that takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// The same elements in the same order, under another shape.
    Reshape,
    /// Axis `i` of the output is axis `order[i]` of the operand.
    Permute(Vec<usize>),
    /// Every `blocks[i]`-th index of axis `i + 1`, counted from each start, becomes samples of the first axis (`apart`), or
    /// these go back; the other axes stay.
    Blocks {
        /// The distance along each axis after the first.
        blocks: Vec<usize>,
        /// Whether they are taken apart, else put together.
        apart: bool,
    },
    /// Constants around the operand.
    Border,
}

/// The saturation gate an activation puts on the weighted sum before it (rules §2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Below this, positive contributions do not count.
    pub lower: Option<f64>,
    /// Above this, negative contributions do not count.
    pub upper: Option<f64>,
    /// β of x·σ(βx) when the activation is not monotone.
    pub swish: Option<f64>,
}

impl Gate {
    /// The gate of an activation; most functions gate nothing.
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
    /// What the step gave, where it is known.
    pub(crate) result: Option<T>,
    pub(crate) lost: BTreeMap<Loss, Amount>,
}

impl<'a, T: Tensor> Context<'a, T> {
    /// A context without a gate.
    pub fn new(weights: &'a WeightCache<T>) -> Self {
        Self { weights, gate: None, result: None, lost: BTreeMap::new() }
    }

    /// Books what landed on constants as what the decision took that chose them.
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

    /// What was booked so far.
    pub fn lost(&self) -> &BTreeMap<Loss, Amount> {
        &self.lost
    }
}

/// One operator: from the relevance of its outputs to the relevance of its inputs.
pub trait BacktraceOp<T: Tensor>: fmt::Debug + Send {
    /// The kind of rule.
    fn family(&self) -> Family;

    /// What the operator is to its neighbours.
    fn role(&self, operands: &[Operand<T>]) -> Role {
        let _ = operands;
        Role::Other
    }

    /// How it turns the axes of operand 0, if it is a movement that does no more.
    fn turn(&self) -> Option<Turn> {
        None
    }

    /// Whether relevance can flow to this operand when it depends on an explained input.
    fn carries(&self, input: usize) -> bool {
        let _ = input;
        true
    }

    /// Whether this operand is multiplied with others: what was decided takes nothing as a factor of a number.
    fn multiplies(&self, input: usize) -> bool {
        let _ = input;
        false
    }

    /// How the elements of the only operand move, in words, where equal words mean equal movement.
    fn movement(&self) -> Option<String> {
        None
    }

    /// How the rows of an operand go into those of the output, of which there is one, when the rule explains each row
    /// of that apart from the others.
    fn rows(&self, operands: &[Operand<T>], input: usize) -> Option<Rows> {
        let _ = (operands, input);
        None
    }

    /// Why an operator of a ruled kind has no rule for the arguments it was called with.
    fn uncovered(&self) -> Option<&str> {
        None
    }

    /// The relevance of each operand, `None` where nothing flows. `arriving` holds the relevance that
    /// arrived at each output, `None` where none did; at least one is present. What is lost is booked in
    /// the context.
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
    /// [`Error::NotKept`] when the recording dropped it.
    pub fn data(&self) -> Result<&T> {
        self.data
            .as_ref()
            .ok_or_else(|| Error::NotKept { what: format!("the operand of shape {:?}", self.meta.shape) })
    }
}

/// The relevance of the only output that matters to an operator.
///
/// # Errors
/// [`Error::Uncovered`] when nothing arrived at output 0.
pub(crate) fn arrived<T: Tensor>(arriving: &[Option<Relevance<T>>]) -> Result<&Relevance<T>> {
    arriving
        .first()
        .and_then(Option::as_ref)
        .ok_or_else(|| Error::Uncovered("relevance arrived only at an output that carries none".into()))
}
