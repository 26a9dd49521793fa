//! Runs bodies.

use super::action::Action;
use super::body::{Body, Node};
use super::compiler::Program;
use super::operation::Operation;
use super::recorder::{Recorder, Value};
use super::recording::{Origin, Scope};
use super::state::State;
use super::write::Write;
use crate::eager::one_type;
use crate::{Context, DataType, Error, Result, Tensor};
use dlbacktrace_core::explain::{Progress, Watch};
use std::collections::HashMap;
use std::sync::Arc;

/// The deepest nesting of calls; beyond it, a function must be calling itself.
const DEEPEST: usize = 200;

/// One run of a body and all that it calls.
pub(crate) struct Run<'a, 'p> {
    pub(crate) program: &'a Program,
    pub(crate) context: &'a Arc<Context>,
    pub(crate) state: &'a mut State,
    pub(crate) recorder: Recorder<'p>,
    /// The seed of random numbers; without it they start at random.
    pub(crate) seed: Option<u64>,
    watch: &'a Watch,
    operators: usize,
    depth: usize,
    /// The values that this run has numbered for variables of TensorFlow 1.
    variables: HashMap<String, Value>,
}

impl<'a, 'p> Run<'a, 'p> {
    pub(crate) fn new(
        program: &'a Program,
        context: &'a Arc<Context>,
        state: &'a mut State,
        recorder: Recorder<'p>,
        watch: &'a Watch,
    ) -> Self {
        Self {
            program,
            context,
            state,
            recorder,
            seed: None,
            watch,
            operators: 0,
            depth: 0,
            variables: HashMap::new(),
        }
    }

    /// Runs a body and returns its results.
    pub(crate) fn call(
        &mut self,
        number: usize,
        arguments: Vec<Value>,
        scope: &Arc<Scope>,
    ) -> Result<Vec<Value>> {
        let program = self.program;
        let failed = |body: &str, reason: String| Error::Operator {
            operator: body.to_owned(),
            place: scope.path.clone(),
            reason,
        };
        let body =
            program.bodies.get(number).ok_or_else(|| failed("call", "there is no such function".into()))?;
        if body.arguments != arguments.len() {
            let reason = format!("it takes {} arguments, but got {}", body.arguments, arguments.len());
            return Err(failed(&body.name, reason));
        }
        if self.depth >= DEEPEST {
            return Err(failed(&body.name, "functions call each other without end".into()));
        }
        self.depth += 1;
        let results = match body.framed {
            true => self.frames(number, body, arguments, scope),
            false => self.straight(number, body, arguments, scope),
        };
        self.depth -= 1;
        results
    }

    /// Runs node after node.
    fn straight(
        &mut self,
        number: usize,
        body: &Body,
        arguments: Vec<Value>,
        scope: &Arc<Scope>,
    ) -> Result<Vec<Value>> {
        let mut slots: Vec<Option<Value>> = vec![None; body.slots];
        for (slot, argument) in slots.iter_mut().zip(arguments) {
            *slot = Some(argument);
        }
        let read = |slots: &[Option<Value>], wanted: &[usize]| -> Option<Vec<Value>> {
            wanted.iter().map(|&slot| slots.get(slot).cloned().flatten()).collect()
        };
        let lost = |name: &str| Error::Operator {
            operator: body.name.clone(),
            place: scope.place(name),
            reason: "one of its inputs was not computed".into(),
        };
        for (index, node) in body.nodes.iter().enumerate() {
            let inputs = read(&slots, &node.inputs).ok_or_else(|| lost(&node.operation.name))?;
            let outputs = self.perform(node, (number, index), &inputs, scope)?;
            for (slot, output) in slots.iter_mut().skip(node.first_output).zip(outputs) {
                *slot = Some(output);
            }
            for &slot in &node.release {
                slots[slot] = None;
            }
        }
        read(&slots, &body.results).ok_or_else(|| lost("results"))
    }

    /// Runs one node that is not a part of a frame; `key` is the number of its body and its place there.
    pub(super) fn perform(
        &mut self,
        node: &Node,
        key: (usize, usize),
        inputs: &[Value],
        scope: &Arc<Scope>,
    ) -> Result<Vec<Value>> {
        self.watch.tell(Progress::Running { operators: self.operators })?;
        self.operators += 1;
        let operation = &node.operation;
        let outputs = match &node.action {
            Action::Execute => self.execute(node, inputs, scope)?,
            Action::ExecuteOnce => self.execute_once(node, key, scope)?,
            Action::Pass => inputs.to_vec(),
            Action::Nothing => Vec::new(),
            Action::Call(function) => {
                self.call(*function, inputs.to_vec(), &Arc::new(scope.within(&operation.name, None)))?
            }
            Action::While { condition, body } => self.repeat(operation, *condition, *body, inputs, scope)?,
            Action::If { then, otherwise } => {
                let (decides, arguments) = split(operation, inputs, scope)?;
                let branch = if truth(&decides.tensor)? { *then } else { *otherwise };
                self.call(branch, arguments.to_vec(), &Arc::new(scope.within(&operation.name, None)))?
            }
            Action::Case(branches) => {
                let (decides, arguments) = split(operation, inputs, scope)?;
                let chosen = integer(&decides.tensor)?;
                // An index out of range takes the last branch.
                let branch =
                    usize::try_from(chosen).ok().and_then(|chosen| branches.get(chosen)).or(branches.last());
                let branch = *branch.ok_or_else(|| failed(operation, scope, "it has no branch".into()))?;
                self.call(branch, arguments.to_vec(), &Arc::new(scope.within(&operation.name, None)))?
            }
            Action::ReadVariable => {
                vec![self.variable(&operation.name).map_err(|r| failed(operation, scope, r))?]
            }
            Action::WriteVariable { variable, write } => {
                vec![self.write(operation, variable, *write, inputs, scope)?]
            }
            Action::Frame(_) => {
                return Err(failed(
                    operation,
                    scope,
                    "it is not part of a loop or branch of the graph".into(),
                ));
            }
        };
        if outputs.len() < node.outputs {
            let reason = format!("it returned {} of {} outputs", outputs.len(), node.outputs);
            return Err(failed(operation, scope, reason));
        }
        Ok(outputs)
    }

    fn execute(&mut self, node: &Node, inputs: &[Value], scope: &Arc<Scope>) -> Result<Vec<Value>> {
        let operation = &node.operation;
        let tensors: Vec<&Tensor> = inputs.iter().map(|input| &input.tensor).collect();
        let made = self.state.before(self.context, operation, &tensors).and_then(|()| {
            let seeded = self.seed.and_then(|seed| node.seeded(self.context, &tensors, seed));
            seeded.unwrap_or_else(|| {
                let given = tensors.iter().copied();
                self.context.execute(operation.called(), operation.passed(), given, node.outputs)
            })
        });
        let made = made.map_err(|reason| failed(operation, scope, reason))?;
        let outputs = made.into_iter().map(|tensor| self.recorder.value(tensor, Origin::Computed));
        let outputs: Vec<Value> = outputs.collect::<Result<_>>()?;
        self.recorder.record(operation, node.chance, scope, inputs, &outputs);
        Ok(outputs)
    }

    fn execute_once(&mut self, node: &Node, key: (usize, usize), scope: &Arc<Scope>) -> Result<Vec<Value>> {
        let operation = &node.operation;
        if node.made.get().is_none() {
            let made = self.context.execute(operation.called(), operation.passed(), [], node.outputs);
            let made = made.map_err(|reason| failed(operation, scope, reason))?;
            node.made.get_or_init(|| made);
        }
        let origin = || match operation.text("shared_name") {
            Some(name) => Origin::Variable(name.to_owned()),
            None => Origin::Constant(operation.name.clone()),
        };
        let made = node.made.get().into_iter().flatten();
        made.map(|tensor| self.recorder.lasting(key, tensor, origin())).collect()
    }

    /// Runs a loop; each round is a call of its body.
    fn repeat(
        &mut self,
        operation: &Operation,
        condition: usize,
        body: usize,
        inputs: &[Value],
        scope: &Arc<Scope>,
    ) -> Result<Vec<Value>> {
        let mut values = inputs.to_vec();
        for round in 0.. {
            let within = Arc::new(scope.within(&operation.name, Some(round)));
            self.recorder.pause();
            let goes_on = self.call(condition, values.clone(), &within);
            self.recorder.resume();
            let goes_on = goes_on?;
            let goes_on =
                goes_on.first().ok_or_else(|| failed(operation, scope, "its condition is empty".into()))?;
            if !truth(&goes_on.tensor)? {
                break;
            }
            values = self.call(body, values, &within)?;
        }
        Ok(values)
    }

    fn variable(&mut self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        let tensor = self.state.variables.get(name).ok_or("the variable has no value")?.clone();
        let value =
            self.recorder.value(tensor, Origin::Variable(name.to_owned())).map_err(|e| e.to_string())?;
        self.variables.insert(name.to_owned(), value.clone());
        Ok(value)
    }

    fn write(
        &mut self,
        operation: &Arc<Operation>,
        variable: &str,
        write: Write,
        inputs: &[Value],
        scope: &Arc<Scope>,
    ) -> Result<Value> {
        let given =
            inputs.first().ok_or_else(|| failed(operation, scope, "it has no value to write".into()))?;
        let arithmetic = match write {
            Write::Assign => None,
            Write::Add => Some(c"AddV2"),
            Write::Subtract => Some(c"Sub"),
        };
        let value = match arithmetic {
            None => given.clone(),
            Some(arithmetic) => {
                let old = self.variable(variable).map_err(|reason| failed(operation, scope, reason))?;
                let types = one_type(c"T", given.tensor.data_type());
                let made = self.context.execute(arithmetic, &types, [&old.tensor, &given.tensor], 1);
                let made = made.map_err(|reason| failed(operation, scope, reason))?.into_iter().next();
                let made = made.ok_or_else(|| failed(operation, scope, "it returned nothing".into()))?;
                let value = self.recorder.value(made, Origin::Computed)?;
                self.recorder.record(
                    operation,
                    None,
                    scope,
                    &[old, given.clone()],
                    std::slice::from_ref(&value),
                );
                value
            }
        };
        self.state.variables.insert(variable.to_owned(), value.tensor.clone());
        self.variables.insert(variable.to_owned(), value.clone());
        Ok(value)
    }
}

pub(super) fn failed(operation: &Operation, scope: &Scope, reason: String) -> Error {
    Error::Operator { operator: operation.operator.clone(), place: scope.place(&operation.name), reason }
}

/// The input that decides, and the others.
fn split<'v>(operation: &Operation, inputs: &'v [Value], scope: &Scope) -> Result<(&'v Value, &'v [Value])> {
    inputs.split_first().ok_or_else(|| failed(operation, scope, "it has no input that decides".into()))
}

/// Whether a tensor counts as true: a number other than zero, a text that is not empty, or else any element at all.
pub(super) fn truth(tensor: &Tensor) -> Result<bool> {
    if !tensor.shape()?.is_empty() {
        return Ok(!tensor.shape()?.contains(&0));
    }
    if tensor.data_type() == DataType::STRING {
        return Ok(tensor.strings()?.iter().any(|text| !text.is_empty()));
    }
    let bytes = tensor.bytes()?;
    // −0 is zero too.
    let sign = match tensor.data_type() {
        DataType::FLOAT | DataType::DOUBLE | DataType::HALF | DataType::BFLOAT16 => 0x7f,
        _ => 0xff,
    };
    let (last, others) = bytes.split_last().unwrap_or((&0, &[]));
    Ok(last & sign != 0 || others.iter().any(|byte| *byte != 0))
}

/// The first element of a 32-bit integer tensor.
pub(super) fn integer(tensor: &Tensor) -> Result<i32> {
    let bytes = tensor.bytes()?;
    let first = bytes.first_chunk().filter(|_| tensor.data_type() == DataType::INT32);
    first.map(|bytes| i32::from_ne_bytes(*bytes)).ok_or_else(|| Error::Tensor {
        action: "read",
        reason: "the input that chooses a branch is not a 32-bit integer".into(),
    })
}
