//! The changes of a run beyond its own values, and how they are undone.

use super::Operation;
use crate::eager::{Attributes, one_bool, one_type};
use crate::{Context, DataType, Error, Result, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// The variables of TensorFlow 1, and the contents from before this run changed them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The values of variables that TensorFlow can keep only in a session, by their nodes.
    pub(super) variables: HashMap<String, Tensor>,
    saved: Vec<Saved>,
    draws: bool,
}

/// A content to restore.
#[derive(Debug)]
enum Saved {
    Variable {
        handle: Tensor,
        value: Tensor,
    },
    /// A variable that had no value.
    Unset {
        handle: Tensor,
    },
    Table {
        handle: Tensor,
        keys: Tensor,
        values: Tensor,
    },
}

/// What an operator changes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Effect {
    Nothing,
    /// The variable that it takes; this attribute gives its element type.
    Variable(&'static str),
    /// The variable with the state of a random number generator.
    Generator,
    /// The table that it takes.
    Table,
    /// The state of its own kernel.
    Kernel,
}

/// Operators that draw random numbers from a state that their kernels keep.
pub(super) const DRAWING: [&str; 18] = [
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "Multinomial",
    "RandomCrop",
    "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2",
    "UniformCandidateSampler",
    "LogUniformCandidateSampler",
    "LearnedUnigramCandidateSampler",
    "ThreadUnsafeUnigramCandidateSampler",
    "FixedUnigramCandidateSampler",
    "AllCandidateSampler",
];

/// Operators that draw random numbers from a state in a variable.
pub(super) const GENERATING: [&str; 8] = [
    "RngSkip",
    "RngReadAndSkip",
    "StatefulUniform",
    "StatefulUniformInt",
    "StatefulUniformFullInt",
    "StatefulStandardNormalV2",
    "StatefulTruncatedNormal",
    "StatefulRandomBinomial",
];

/// Whether an operator draws random numbers.
pub(super) fn draws(operator: &str) -> bool {
    DRAWING.contains(&operator) || GENERATING.contains(&operator)
}

fn effect(operator: &str) -> Effect {
    let variable = ["AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"];
    if variable.contains(&operator) || operator.starts_with("ResourceScatter") {
        return Effect::Variable("dtype");
    }
    let applied = operator.starts_with("ResourceApply") || operator.starts_with("ResourceSparseApply");
    if applied || operator == "ResourceStridedSliceAssign" {
        return Effect::Variable("T");
    }
    if GENERATING.contains(&operator) {
        return Effect::Generator;
    }
    if DRAWING.contains(&operator) {
        return Effect::Kernel;
    }
    if operator.starts_with("LookupTable") && ["Insert", "Remove"].iter().any(|part| operator.contains(part))
    {
        return Effect::Table;
    }
    Effect::Nothing
}

impl State {
    /// Saves what `operation` is about to change.
    pub(super) fn before(
        &mut self,
        context: &Arc<Context>,
        operation: &Operation,
        inputs: &[&Tensor],
    ) -> Result<(), String> {
        let handles = || inputs.iter().filter(|input| input.data_type() == DataType::RESOURCE);
        match effect(&operation.operator) {
            Effect::Nothing => {}
            Effect::Kernel => self.draws = true,
            Effect::Generator => {
                for handle in handles() {
                    self.save_variable(context, handle, DataType::INT64)?;
                }
            }
            Effect::Variable(attribute) => {
                let data_type = operation.data_type(attribute).ok_or("it does not state its element type")?;
                for handle in handles() {
                    self.save_variable(context, handle, data_type)?;
                }
            }
            Effect::Table => {
                for handle in handles() {
                    self.save_table(context, operation, handle)?;
                }
            }
        }
        Ok(())
    }

    fn save_variable(
        &mut self,
        context: &Arc<Context>,
        handle: &Tensor,
        data_type: DataType,
    ) -> Result<(), String> {
        let handle = handle.clone();
        if is_set(context, &handle)? {
            let read = context.execute(c"ReadVariableOp", &one_type(c"dtype", data_type), [&handle], 1)?;
            let value = read.into_iter().next().ok_or("it has no value")?;
            self.saved.push(Saved::Variable { handle, value });
        } else {
            self.saved.push(Saved::Unset { handle });
        }
        Ok(())
    }

    fn save_table(
        &mut self,
        context: &Arc<Context>,
        operation: &Operation,
        handle: &Tensor,
    ) -> Result<(), String> {
        let types = operation.data_type("Tin").zip(operation.data_type("Tout"));
        let (keys, values) =
            types.ok_or("it removes entries from a table, which could not be restored after the run")?;
        let types = one_type(c"Tkeys", keys).and(one_type(c"Tvalues", values));
        let mut content = context.execute(c"LookupTableExportV2", &types, [handle], 2)?.into_iter();
        if let (Some(keys), Some(values)) = (content.next(), content.next()) {
            self.saved.push(Saved::Table { handle: handle.clone(), keys, values });
        }
        Ok(())
    }

    /// Undoes the changes of the run, the last one first.
    pub(crate) fn restore(&mut self, context: &Arc<Context>) -> Result<()> {
        while let Some(saved) = self.saved.pop() {
            saved.restore(context).map_err(|reason| Error::Tensor { action: "restore", reason })?;
        }
        if std::mem::take(&mut self.draws) {
            context.forget_kernels();
        }
        Ok(())
    }

    /// Makes the present state the one from which every run starts.
    pub(crate) fn settle(&mut self) {
        self.saved.clear();
    }

    /// The present values of the variables of TensorFlow 1.
    pub(crate) fn variables(&self) -> HashMap<String, Tensor> {
        self.variables.clone()
    }

    /// Sets the variables of TensorFlow 1.
    pub(crate) fn set_variables(&mut self, variables: HashMap<String, Tensor>) {
        self.variables = variables;
    }
}

/// Whether a variable has a value.
pub(crate) fn is_set(context: &Arc<Context>, handle: &Tensor) -> Result<bool, String> {
    let answer = context.execute(c"VarIsInitializedOp", &Attributes::default(), [handle], 1)?;
    let bytes = answer.first().map(Tensor::bytes).transpose().map_err(|error| error.to_string())?;
    Ok(bytes.is_some_and(|bytes| bytes == [1]))
}

impl Saved {
    fn restore(self, context: &Arc<Context>) -> Result<(), String> {
        let done = match &self {
            Self::Variable { handle, value } => {
                let types = one_type(c"dtype", value.data_type());
                context.execute(c"AssignVariableOp", &types, [handle, value], 0)
            }
            Self::Unset { handle } => {
                context.execute(c"DestroyResourceOp", &one_bool(c"ignore_lookup_error", true), [handle], 0)
            }
            Self::Table { handle, keys, values } => {
                let types = one_type(c"Tin", keys.data_type()).and(one_type(c"Tout", values.data_type()));
                context.execute(c"LookupTableImportV2", &types, [handle, keys, values], 0)
            }
        };
        done.map(drop)
    }
}
