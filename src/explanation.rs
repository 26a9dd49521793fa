//! The result of an explanation.

use crate::framework_tensor::{Channels, FrameworkTensor};
use crate::{Amount, Error, Ledger, RandomUse, Result, Versus};
use dlbacktrace_core::{DType, Tensor, explain};
use ndarray::ArrayD;
use std::time::Duration;

pub use dlbacktrace_core::explain::{ModuleRelevance, OperatorUse};

/// How long each part took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Loading the model.
    pub load: Duration,
    /// Running it under the recorder.
    pub forward: Duration,
    /// From the recording to the relevance of the inputs.
    pub relevance: Duration,
}

/// The relevance of one input.
#[derive(Debug)]
pub struct InputRelevance {
    /// The argument's name and the path into lists, tuples and dictionaries: `x`, `feats[0]`, `batch.ids`.
    pub name: String,
    relevance: Channels,
    amount: Amount,
    input: FrameworkTensor,
}

impl InputRelevance {
    /// The shape of the input and of its relevance.
    pub fn shape(&self) -> Vec<usize> {
        self.input.shape()
    }

    /// The relevance; in contrastive mode, the relevance for the explained output. For integer inputs, one number for each
    /// token.
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) if it cannot be read from the framework.
    pub fn relevance(&self) -> Result<ArrayD<f64>> {
        self.relevance.positive()
    }

    /// The relevance against the explained output; `None` in default mode.
    ///
    /// # Errors
    /// As [`relevance`](Self::relevance).
    pub fn negative(&self) -> Result<Option<ArrayD<f64>>> {
        self.relevance.negative()
    }

    /// Relevance for minus relevance against, which tells classes apart; in default mode, the relevance.
    ///
    /// # Errors
    /// As [`relevance`](Self::relevance).
    pub fn difference(&self) -> Result<ArrayD<f64>> {
        self.relevance.difference()
    }

    /// The precision of the computation: single, or double for models in double precision.
    pub fn precision(&self) -> DType {
        self.relevance.precision()
    }

    /// The total of each channel.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// The values of the input.
    ///
    /// # Errors
    /// As [`relevance`](Self::relevance), and [`Error::Usage`] for texts.
    pub fn data(&self) -> Result<ArrayD<f64>> {
        match self.texts()? {
            Some(_) => Err(Error::Usage(format!(
                "input {} holds texts, not numbers; read them with `texts`",
                self.name
            ))),
            None => self.input.array(),
        }
    }

    /// The texts of the input; `None` if it holds numbers.
    ///
    /// # Errors
    /// As [`relevance`](Self::relevance).
    pub fn texts(&self) -> Result<Option<ArrayD<String>>> {
        self.input.texts()
    }

    /// The relevance as a libtorch tensor, not copied; in contrastive mode, the channel for. `None` for a model of another
    /// framework.
    #[cfg(feature = "torch")]
    pub fn tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.tensor()
    }

    /// The channel against as a libtorch tensor, not copied.
    #[cfg(feature = "torch")]
    pub fn negative_tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.negative_tensor()
    }

    /// The [difference](Self::difference) as a libtorch tensor.
    #[cfg(feature = "torch")]
    pub fn difference_tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.difference_tensor()
    }
}

/// The relevance of a recorded value, kept on request.
#[derive(Debug)]
pub struct ValueRelevance {
    /// A name that is unique within the explanation: step, module path and operator.
    pub name: String,
    /// The position of the step that made the value.
    pub step: usize,
    /// Its operator.
    pub operator: String,
    /// Dotted path of its module.
    pub module: String,
    relevance: Channels,
}

impl ValueRelevance {
    /// As [`InputRelevance::precision`].
    pub fn precision(&self) -> DType {
        self.relevance.precision()
    }

    /// As [`InputRelevance::relevance`].
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal).
    pub fn relevance(&self) -> Result<ArrayD<f64>> {
        self.relevance.positive()
    }

    /// As [`InputRelevance::negative`].
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal).
    pub fn negative(&self) -> Result<Option<ArrayD<f64>>> {
        self.relevance.negative()
    }

    /// As [`InputRelevance::difference`].
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal).
    pub fn difference(&self) -> Result<ArrayD<f64>> {
        self.relevance.difference()
    }

    /// As [`InputRelevance::tensor`].
    #[cfg(feature = "torch")]
    pub fn tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.tensor()
    }

    /// As [`InputRelevance::negative_tensor`].
    #[cfg(feature = "torch")]
    pub fn negative_tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.negative_tensor()
    }

    /// As [`InputRelevance::difference_tensor`].
    #[cfg(feature = "torch")]
    pub fn difference_tensor(&self) -> Option<&tch::Tensor> {
        self.relevance.difference_tensor()
    }
}

/// Why a model decided as it did.
#[derive(Debug)]
pub struct Explanation {
    inputs: Vec<InputRelevance>,
    values: Vec<ValueRelevance>,
    output: ArrayD<f64>,
    #[cfg(feature = "torch")]
    output_tensor: FrameworkTensor,
    output_name: String,
    targets: Vec<usize>,
    /// How many cells of a sample lie before those that the targets count.
    earlier: usize,
    versus: Option<Versus>,
    sample_axis: Option<usize>,
    samples_in_inputs: bool,
    assumed: Vec<String>,
    start: Amount,
    ledger: Ledger,
    modules: Vec<ModuleRelevance>,
    operators: Vec<OperatorUse>,
    coverage: f64,
    random: Vec<RandomUse>,
    pub(crate) timings: Timings,
    warnings: Vec<String>,
    framework: String,
}

impl Explanation {
    /// The explained inputs, in the model's order.
    pub fn inputs(&self) -> &[InputRelevance] {
        &self.inputs
    }

    /// The relevance of every recorded value, the last step first, if [requested](crate::Options::all_values).
    pub fn values(&self) -> &[ValueRelevance] {
        &self.values
    }

    /// The explained output.
    pub fn output(&self) -> ArrayD<f64> {
        self.output.clone()
    }

    /// The explained output as a libtorch tensor, not copied. `None` for a model of another framework.
    #[cfg(feature = "torch")]
    pub fn output_tensor(&self) -> Option<&tch::Tensor> {
        self.output_tensor.as_tch()
    }

    /// Its name: `output`, `output.logits`, `output[1]`.
    pub fn output_name(&self) -> &str {
        &self.output_name
    }

    /// The explained unit of each sample, counted over its flattened output, or the next token; `None` if the start is not a single unit.
    pub fn target(&self) -> Option<&[usize]> {
        (!self.targets.is_empty()).then_some(self.targets.as_slice())
    }

    /// What this unit is told apart from; `None` unless the start is a [difference](crate::Options::versus).
    pub fn versus(&self) -> Option<Versus> {
        self.versus
    }

    /// The axis of the output that counts samples; `None` if the whole output is one sample.
    pub fn sample_axis(&self) -> Option<usize> {
        self.sample_axis
    }

    /// The number of samples explained together.
    pub fn sample_count(&self) -> usize {
        self.sample_axis.and_then(|axis| self.output.shape().get(axis).copied()).unwrap_or(1)
    }

    /// Whether the first axis of the inputs counts the same samples.
    pub fn samples_in_inputs(&self) -> bool {
        self.samples_in_inputs
    }

    /// The coordinates in the output of the explained unit of each sample; empty if the start is not a single unit.
    pub fn target_cells(&self) -> Vec<Vec<usize>> {
        let shape = self.output.shape();
        let cell = |(sample, &unit): (usize, &usize)| {
            let mut rest = self.earlier + unit;
            let mut cell = vec![0; shape.len()];
            for axis in (0..shape.len()).rev().filter(|axis| Some(*axis) != self.sample_axis) {
                cell[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            if let Some(axis) = self.sample_axis {
                cell[axis] = sample;
            }
            cell
        };
        self.targets.iter().enumerate().map(cell).collect()
    }

    /// What was assumed because the model does not say it, one sentence each.
    pub fn assumed(&self) -> &[String] {
        &self.assumed
    }

    /// The total with which the walk started.
    pub fn start_amount(&self) -> Amount {
        self.start
    }

    /// The account of every step.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The relevance that passed through each module, if [requested](crate::Options::modules). A module follows the one that
    /// contains it; apart from that, modules stand in the order in which they ran.
    pub fn modules(&self) -> &[ModuleRelevance] {
        &self.modules
    }

    /// The operators that ran and that relevance can reach.
    pub fn operators(&self) -> &[OperatorUse] {
        &self.operators
    }

    /// The share of these operators that has a rule, 0 to 1.
    pub fn coverage(&self) -> f64 {
        self.coverage
    }

    /// The operators whose results depend on random numbers; empty if every run gives the same.
    pub fn random(&self) -> &[RandomUse] {
        &self.random
    }

    /// How long each part took.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Warnings for the reader.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The framework and its version, such as `libtorch 2.13.0`.
    pub fn framework(&self) -> &str {
        &self.framework
    }
}

impl Explanation {
    /// Whether another explanation has the same output and the same relevance, bit by bit.
    pub(crate) fn same_bits(&self, other: &Self) -> Result<bool> {
        let bits = |explanation: &Self| -> Result<Vec<u64>> {
            let mut bits: Vec<u64> = explanation.output.iter().map(|value| value.to_bits()).collect();
            for input in &explanation.inputs {
                let channels = [Some(input.relevance()?), input.negative()?];
                bits.extend(channels.iter().flatten().flatten().map(|value| value.to_bits()));
            }
            Ok(bits)
        };
        Ok(bits(self)? == bits(other)?)
    }

    /// Takes the core's result, for a model of any framework. The time of loading is filled in later.
    pub(crate) fn of<T: Tensor + Into<FrameworkTensor>>(
        explanation: explain::Explanation<T>,
        framework: String,
    ) -> Result<Self> {
        let coverage = explanation.coverage();
        let output = explanation.output.to_array()?;
        let input = |input: explain::InputRelevance<T>| -> Result<InputRelevance> {
            Ok(InputRelevance {
                name: input.name,
                relevance: Channels::new(&input.relevance),
                amount: input.relevance.amount()?,
                input: input.tensor.into(),
            })
        };
        let inputs = explanation.inputs.into_iter().map(input).collect::<Result<_>>()?;
        let values = explanation.values.into_iter().enumerate().map(|(index, value)| {
            let module = value.place.module.path;
            ValueRelevance {
                name: format!("{index}:{module}:{}", value.operator),
                step: value.place.step,
                operator: value.operator,
                module,
                relevance: Channels::new(&value.relevance),
            }
        });
        let explain::Timings { forward, relevance } = explanation.timings;
        Ok(Self {
            inputs,
            values: values.collect(),
            output,
            #[cfg(feature = "torch")]
            output_tensor: explanation.output.into(),
            output_name: explanation.output_name,
            targets: explanation.targets,
            earlier: explanation.earlier,
            versus: explanation.versus,
            sample_axis: explanation.sample_axis,
            samples_in_inputs: explanation.samples_in_inputs,
            assumed: explanation.assumed,
            start: explanation.start,
            ledger: explanation.ledger,
            modules: explanation.modules,
            operators: explanation.operators,
            coverage,
            random: explanation.random,
            timings: Timings { load: Duration::ZERO, forward, relevance },
            warnings: explanation.warnings,
            framework,
        })
    }
}
