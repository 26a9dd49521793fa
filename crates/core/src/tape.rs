//! The recording of one run of a model: the operators that executed, in order, with their tensors.

use crate::rules::{Reads, Rule};
use crate::{BacktraceOp, DType, Derivative, Gate, RandomUse, Tensor, WeightKey};
use std::fmt;

/// The number of a value on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct ValueId(pub usize);

/// Dotted path of the module a step belongs to, such as `layer1.0.conv1`, and the module's class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub struct ModulePath {
    /// Dotted instance names; empty for the top module, or if the framework does not know.
    pub path: String,
    /// Class name of the innermost module.
    pub class: String,
}

/// Where a step ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Position on the tape.
    pub step: usize,
    /// The module.
    pub module: ModulePath,
    /// Source line, if the framework knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Shapes of the operands.
    pub shapes: Vec<Vec<usize>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.step)?;
        match (self.module.path.is_empty(), self.module.class.is_empty()) {
            (false, _) => write!(f, " in {}", self.module.path)?,
            (true, false) => write!(f, " in {}", self.module.class)?,
            (true, true) => {}
        }
        if let Some(source) = &self.source {
            write!(f, " at {source}")?;
        }
        write!(f, ", operand shapes {:?}", self.shapes)
    }
}

/// What is known of a value without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Element type; for complex numbers, that of their parts.
    pub dtype: DType,
    /// Whether the numbers are complex: then the last axis holds real and imaginary parts.
    pub complex: bool,
}

impl Meta {
    /// For real numbers.
    pub fn new(shape: Vec<usize>, dtype: DType) -> Self {
        Self { shape, dtype, complex: false }
    }
}

/// One operand of a step.
#[derive(Debug, Clone)]
pub struct Operand<T> {
    /// The value.
    pub value: ValueId,
    /// Shape and element type.
    pub meta: Meta,
    /// The data as it was when the step ran, in the compute type; absent if the step's rule does not read it.
    pub data: Option<T>,
    /// The identity of a parameter, so that what is derived from it can be kept between explanations.
    pub weight: Option<WeightKey>,
    /// Whether the value depends on an explained input. Set by [`Tape::prepare`]. A value that does not is a constant and
    /// receives nothing (rules, "Constants").
    pub depends: bool,
}

impl<T: Tensor> Operand<T> {
    /// An operand whose data the rule may read.
    pub fn new(value: ValueId, data: T) -> Self {
        let meta = Meta::new(data.shape(), data.dtype());
        Self { value, meta, data: Some(data), weight: None, depends: false }
    }

    /// An operand whose data the rule does not read.
    pub fn shape_only(value: ValueId, meta: Meta) -> Self {
        Self { value, meta, data: None, weight: None, depends: false }
    }

    /// This operand with other data: a part of its own, or the same under another shape. It loses the identity of a parameter.
    pub fn holding(&self, data: T) -> Self {
        let meta = Meta { shape: data.shape(), ..self.meta.clone() };
        Self { meta, data: Some(data), weight: None, ..*self }
    }
}

/// One executed operator.
#[derive(Debug)]
pub struct Step<T> {
    /// The framework's name of the operator, such as `aten::conv2d`.
    pub operator: String,
    /// Where it ran.
    pub place: Place,
    /// The rule, with the operator's arguments that are not tensors.
    pub op: Box<dyn BacktraceOp<T>>,
    /// Tensor operands, in the order that the rule documents.
    pub inputs: Vec<Operand<T>>,
    /// The values that the step made.
    pub outputs: Vec<ValueId>,
    /// Values that say how, where or whether, but are not operands.
    pub chosen_by: Vec<ValueId>,
    /// Whether numbers decided one of these, or one of the operands that carry nothing. Set by [`Tape::prepare`].
    pub chosen: bool,
    /// Whether the step adds constants to the embeddings of tokens. Set by [`Tape::prepare`].
    pub adds: bool,
    /// The activation that gates this step (rules §2). Set by [`Tape::prepare`].
    pub gate: Option<Gate>,
    /// The step's result, if its rule may read it and the recording kept it. That of a gated step is set by [`Tape::prepare`].
    pub result: Option<T>,
    /// The rule by which it shares relevance. Set by the walk from its rule set.
    pub rule: Rule,
    /// The call of the framework that this step ends, with its derivative, if the recording kept what that needs.
    pub call: Option<WholeCall<T>>,
    /// The step as it was recorded, if an analysis found it to be part of a written-out norm, softmax or activation.
    pub written: Option<Written<T>>,
    /// Whether only the next step reads this one's result, row by row, so that both can be walked together. Set by
    /// [`Tape::prepare`].
    pub joined: bool,
}

/// A call of the framework's, which one or several steps carry out.
#[derive(Debug)]
pub struct WholeCall<T> {
    /// The position of its first step, as [`Place::step`] counts.
    pub first: usize,
    /// What it returned.
    pub outputs: Vec<ValueId>,
    /// Its derivative.
    pub derivative: Box<dyn Derivative<T>>,
}

/// What a step was before an analysis gave it another rule.
#[derive(Debug)]
pub struct Written<T> {
    /// The operator.
    pub op: Box<dyn BacktraceOp<T>>,
    /// Its operands.
    pub inputs: Vec<Operand<T>>,
}

impl<T> Step<T> {
    /// A step as it was recorded.
    pub fn new(
        operator: String,
        place: Place,
        op: Box<dyn BacktraceOp<T>>,
        inputs: Vec<Operand<T>>,
        outputs: Vec<ValueId>,
    ) -> Self {
        Self {
            operator,
            place,
            op,
            inputs,
            outputs,
            chosen_by: Vec::new(),
            chosen: false,
            adds: false,
            gate: None,
            result: None,
            rule: Rule::default(),
            call: None,
            written: None,
            joined: false,
        }
    }

    /// Gives the step another rule, for what it is part of. It keeps what was recorded, for rules that go by it.
    pub(crate) fn becomes(&mut self, op: Box<dyn BacktraceOp<T>>)
    where
        T: Clone,
    {
        let (op, inputs) = (std::mem::replace(&mut self.op, op), self.inputs.clone());
        self.written.get_or_insert(Written { op, inputs });
    }
}

/// A recorded run.
#[derive(Debug)]
pub struct Tape<T> {
    /// The steps in the order in which they ran.
    pub steps: Vec<Step<T>>,
    /// What is known of each value; indexed by [`ValueId`].
    pub values: Vec<Meta>,
    /// The values to explain, in the order of the model's inputs.
    pub inputs: Vec<ValueId>,
    /// The values that the model returned, flattened.
    pub outputs: Vec<ValueId>,
    /// Integer inputs that the user names as quantities: a cast of these to a floating-point type carries relevance (rules,
    /// "Tokens").
    pub numeric_inputs: Vec<ValueId>,
    /// The operators whose results depend on random numbers or on the batch.
    pub random: Vec<RandomUse>,
    /// What the recording kept for rules other than those of DLBacktrace.
    pub reads: Reads,
}

impl<T: Tensor> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            values: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            numeric_inputs: Vec::new(),
            random: Vec::new(),
            reads: Reads::default(),
        }
    }

    /// Adds a value.
    pub fn value(&mut self, meta: Meta) -> ValueId {
        self.values.push(meta);
        ValueId(self.values.len() - 1)
    }

    /// Shape and element type of a value.
    pub fn meta(&self, value: ValueId) -> &Meta {
        &self.values[value.0]
    }
}

impl<T: Tensor> Default for Tape<T> {
    fn default() -> Self {
        Self::new()
    }
}
