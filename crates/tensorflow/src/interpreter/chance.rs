//! Finds operators whose results depend on random numbers, unless the graph itself fixes their seed, and norms that take
//! statistics of the batch.

use super::Program;
use super::body::{Body, Drawing, Node};
use super::operation::Operation;
use super::state::{DRAWING, GENERATING};
use crate::eager::{one_int, one_type};
use crate::{Context, DataType, Tensor};
use dlbacktrace_core::Chance;
use std::collections::HashSet;
use std::sync::Arc;

impl Drawing {
    /// How a node draws; `None` also if the graph fixes what it draws.
    fn of(body: &Body, node: &Node) -> Option<Self> {
        let operation = &node.operation;
        let operator = operation.operator.as_str();
        let zero = |name| operation.int(name).unwrap_or(0) == 0;
        if DRAWING.contains(&operator) {
            return (zero("seed") && zero("seed2")).then_some(Self::Kernel);
        }
        if GENERATING.contains(&operator) {
            return Some(Self::Variable);
        }
        let draws = operator.starts_with("StatelessRandom")
            || operator.starts_with("StatelessTruncated")
            || operator.starts_with("StatelessParameterized")
            || [
                "StatelessMultinomial",
                "StatelessShuffle",
                "StatelessSampleDistortedBoundingBox",
                "RandomIndexShuffle",
            ]
            .contains(&operator);
        let seed = node.inputs.get(seed_of(operator)?).filter(|_| draws)?;
        (!body.made_of(*seed, |leaf| leaf.operator == "Const")).then_some(Self::Seed)
    }
}

/// The input that holds the seed, or the key made from one; `None` for an operator that makes such a key.
fn seed_of(operator: &str) -> Option<usize> {
    match operator {
        "StatelessMultinomial" => Some(2),
        "StatelessSampleDistortedBoundingBox" => Some(3),
        _ if operator.starts_with("StatelessRandomGet") => None,
        _ => Some(1),
    }
}

impl Body {
    /// Notes the nodes whose results depend on random numbers or on the batch.
    pub(super) fn mark_chance(&mut self) {
        let marks: Vec<_> =
            self.nodes.iter().map(|node| (Drawing::of(self, node), of_batch(self, node))).collect();
        for (node, (drawing, batch)) in self.nodes.iter_mut().zip(marks) {
            node.drawing = drawing;
            node.chance = match drawing {
                Some(_) => Some(Chance::Drawn),
                None => batch.then_some(Chance::Batch),
            };
        }
    }

    /// Whether everything from which a slot is computed within the body begins with such nodes.
    fn made_of(&self, slot: usize, is: impl Fn(&Operation) -> bool) -> bool {
        let producers = self.producers();
        let (mut waiting, mut seen) = (vec![slot], HashSet::new());
        while let Some(slot) = waiting.pop() {
            let Some((node, _)) = producers.get(slot).copied().flatten() else { return false };
            let node = &self.nodes[node];
            if node.inputs.is_empty() && !is(&node.operation) {
                return false;
            }
            waiting.extend(node.inputs.iter().copied().filter(|&input| seen.insert(input)));
        }
        true
    }
}

/// Whether a batch norm takes statistics of its batch. One that scales by ones is a layer norm.
fn of_batch(body: &Body, node: &Node) -> bool {
    let operation = &node.operation;
    let norm = operation.operator.starts_with("FusedBatchNorm") && !operation.operator.contains("Grad");
    if !norm || operation.bool("is_training") != Some(true) {
        return false;
    }
    let producers = body.producers();
    let scale = node.inputs.get(1).and_then(|&slot| producers[slot]);
    scale.is_none_or(|(maker, _)| body.nodes[maker].operation.operator != "Fill")
}

impl Program {
    /// Shows each operator of a body, and of all that it calls, whose result depends on random numbers or on the batch.
    pub(crate) fn each_chance(&self, body: usize, show: &mut dyn FnMut(&Operation, Chance)) {
        let (mut waiting, mut seen) = (vec![body], HashSet::from([body]));
        while let Some(body) = waiting.pop().and_then(|body| self.bodies.get(body)) {
            for node in &body.nodes {
                if let Some(chance) = node.chance {
                    show(&node.operation, chance);
                }
                waiting.extend(node.action.bodies().into_iter().filter(|&called| seen.insert(called)));
            }
        }
    }
}

impl Node {
    /// Runs a node that draws, starting from `seed`; `None` for a node that does not draw.
    pub(super) fn seeded(
        &self,
        context: &Arc<Context>,
        inputs: &[&Tensor],
        seed: u64,
    ) -> Option<Result<Vec<Tensor>, String>> {
        let (called, passed) = (self.operation.called(), self.operation.passed());
        match self.drawing? {
            Drawing::Kernel => {
                // TensorFlow takes two zeros for no seed.
                let seeds = one_int(c"seed", seed as i64).and(one_int(c"seed2", 1));
                let attributes = passed.clone().and(seeds);
                Some(context.execute(called, &attributes, inputs.iter().copied(), self.outputs))
            }
            Drawing::Seed => Some(self.run_from(context, inputs, seed)),
            Drawing::Variable => Some(self.run_keyed(context, inputs, seed)),
        }
    }

    /// Runs a node with the seed added to the key of its generator, which is the last number of the generator's state.
    fn run_keyed(
        &self,
        context: &Arc<Context>,
        inputs: &[&Tensor],
        seed: u64,
    ) -> Result<Vec<Tensor>, String> {
        let generator = *inputs.first().ok_or("it gets no generator")?;
        let types = one_type(c"dtype", DataType::INT64);
        let shift = |by: u64| {
            let read = context.execute(c"ReadVariableOp", &types, [generator], 1)?;
            let state = read.first().ok_or("its generator has no state")?;
            let bytes = state.bytes().map_err(|error| error.to_string())?;
            let mut numbers: Vec<u64> = bytes
                .chunks_exact(8)
                .filter_map(|bytes| Some(u64::from_ne_bytes(bytes.try_into().ok()?)))
                .collect();
            let key = numbers.last_mut().ok_or("its generator has no state")?;
            *key = key.wrapping_add(by);
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
            let moved = context
                .tensor(DataType::INT64, &[numbers.len()], &bytes)
                .map_err(|error| error.to_string())?;
            context.execute(c"AssignVariableOp", &types, [generator, &moved], 0)
        };
        shift(seed)?;
        let made = context.execute(
            self.operation.called(),
            self.operation.passed(),
            inputs.iter().copied(),
            self.outputs,
        );
        shift(seed.wrapping_neg())?;
        made
    }

    /// Runs a node that gets its seed as an input; each `seed` gives another one.
    fn run_from(&self, context: &Arc<Context>, inputs: &[&Tensor], seed: u64) -> Result<Vec<Tensor>, String> {
        let place = seed_of(&self.operation.operator).unwrap_or_default();
        let own = *inputs.get(place).ok_or("it gets no seed")?;
        let added = context.tensor(DataType::UINT64, &[], &seed.to_ne_bytes());
        let added = added.and_then(|added| added.cast(own.data_type())).map_err(|error| error.to_string())?;
        let types = one_type(c"T", own.data_type());
        let sum = context.execute(c"AddV2", &types, [own, &added], 1)?;
        let sum = sum.first().ok_or("its seed could not be computed")?;
        let given = inputs.iter().enumerate().map(|(index, input)| if index == place { sum } else { *input });
        context.execute(self.operation.called(), self.operation.passed(), given, self.outputs)
    }
}
