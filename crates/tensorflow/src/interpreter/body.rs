//! A function, or the part of the graph that computes some tensors, ready to run.

use super::action::Action;
use super::operation::Operation;
use crate::Tensor;
use dlbacktrace_core::Chance;
use std::sync::{Arc, OnceLock};

/// Nodes in an order in which they can run. Each value has a slot: first the arguments, then the outputs of each node.
#[derive(Debug)]
pub(crate) struct Body {
    pub(super) name: String,
    pub(super) arguments: usize,
    pub(super) slots: usize,
    pub(super) nodes: Vec<Node>,
    /// The slots that it returns.
    pub(super) results: Vec<usize>,
    /// Nodes that are run for their effects.
    pub(super) targets: Vec<usize>,
    /// Whether it branches or loops by TensorFlow 1's Switch, Merge, Enter, Exit and NextIteration.
    pub(super) framed: bool,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) operation: Arc<Operation>,
    pub(super) action: Action,
    pub(super) inputs: Vec<usize>,
    /// The nodes that must run before.
    pub(super) controls: Vec<usize>,
    pub(super) first_output: usize,
    pub(super) outputs: usize,
    /// The slots that no later node reads.
    pub(super) release: Vec<usize>,
    /// How it draws random numbers, if it draws any that the graph does not fix.
    pub(super) drawing: Option<Drawing>,
    /// Why it may give something else for the same sample.
    pub(super) chance: Option<Chance>,
    /// The tensors that it made once for the life of the model.
    pub(super) made: OnceLock<Vec<Tensor>>,
}

/// How an operator draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Drawing {
    /// From a state of its own kernel, which starts at random.
    Kernel,
    /// From a state in a variable.
    Variable,
    /// From a seed that it takes as an input.
    Seed,
}

impl Body {
    /// Finds the slots that can be released after each node.
    pub(super) fn plan_release(&mut self) {
        let mut last = vec![None; self.slots];
        for (index, node) in self.nodes.iter().enumerate() {
            let outputs = node.first_output..node.first_output + node.outputs;
            for slot in node.inputs.iter().copied().chain(outputs) {
                last[slot] = Some(index);
            }
        }
        for &slot in &self.results {
            last[slot] = None;
        }
        for (slot, node) in last.into_iter().enumerate() {
            if let Some(node) = node {
                self.nodes[node].release.push(slot);
            }
        }
    }

    /// The node that makes each slot, and the number of the output; `None` for arguments.
    pub(super) fn producers(&self) -> Vec<Option<(usize, usize)>> {
        let mut producers = vec![None; self.slots];
        for (index, node) in self.nodes.iter().enumerate() {
            for output in 0..node.outputs {
                producers[node.first_output + output] = Some((index, output));
            }
        }
        producers
    }
}
