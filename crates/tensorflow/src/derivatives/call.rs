//! One call of an operator, as formulas read it.

use super::value::Value;
use crate::eager::Attributes;
use crate::{Operation, TfTensor};
use dlbacktrace_core::Tensor as _;

/// An operator with the tensors of its call, and what arrived at its outputs. Half precision is single precision here.
pub(super) struct Call<'a> {
    pub(super) operation: &'a Operation,
    pub(super) inputs: Vec<Value>,
    pub(super) outputs: Vec<Value>,
    pub(super) arriving: Vec<Option<Value>>,
}

impl Call<'_> {
    /// The first input.
    pub(super) fn x(&self) -> Value {
        self.input(0)
    }

    pub(super) fn input(&self, index: usize) -> Value {
        let lacking = || super::value::attempt(|| Err(format!("the operator has no input {index}")));
        self.inputs.get(index).cloned().unwrap_or_else(lacking)
    }

    /// The first output.
    pub(super) fn y(&self) -> Value {
        self.output(0)
    }

    pub(super) fn output(&self, index: usize) -> Value {
        let lacking = || super::value::attempt(|| Err(format!("the operator has no output {index}")));
        self.outputs.get(index).cloned().unwrap_or_else(lacking)
    }

    /// What arrived at the first output.
    pub(super) fn r(&self) -> Value {
        self.arrived(0)
    }

    /// What arrived at an output; zeros if nothing did.
    pub(super) fn arrived(&self, output: usize) -> Value {
        let arrived = self.arriving.get(output).cloned().flatten();
        arrived.unwrap_or_else(|| self.output(output).apply(c"ZerosLike"))
    }

    /// The operator's own attributes of these names; those that it leaves at their defaults are not among them.
    pub(super) fn given(&self, names: &[&str]) -> Attributes {
        self.operation.passed().named(names)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.operation.bool(name).unwrap_or(false)
    }

    /// A number among the attributes.
    pub(super) fn float(&self, name: &str) -> Result<f64, String> {
        self.operation.float(name).map(f64::from).ok_or_else(|| format!("the operator has no {name}"))
    }

    /// The numbers in an integer input.
    pub(super) fn integers(&self, input: usize) -> Result<Vec<i64>, String> {
        let numbers = TfTensor::from(self.input(input).tensor()?).to_indices();
        Ok(numbers.map_err(|error| error.to_string())?.into_iter().collect())
    }

    /// The axes in an integer input.
    pub(super) fn axes(&self, input: usize, rank: usize) -> Result<Vec<usize>, String> {
        let axis = |index| crate::lowering::axis(index, rank).map_err(|error| error.to_string());
        self.integers(input)?.into_iter().map(axis).collect()
    }
}
