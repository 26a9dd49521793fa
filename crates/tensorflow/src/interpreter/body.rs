//! A function, or the part of the graph that makes some tensors, ready to run.

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
    /// The slots it gives back.
    pub(super) results: Vec<usize>,
    /// Nodes to run for what they do.
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
    /// The nodes that must have run before.
    pub(super) controls: Vec<usize>,
    pub(super) first_output: usize,
    pub(super) outputs: usize,
    /// The slots that nobody reads after this node.
    pub(super) release: Vec<usize>,
    /// How it draws random numbers, if it does and the graph does not fix them.
    pub(super) drawing: Option<Drawing>,
    /// Why it may give something else for the same sample.
    pub(super) chance: Option<Chance>,
    /// What it made for good.
    pub(super) made: OnceLock<Vec<Tensor>>,
}

/// How an operator draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Drawing {
    /// By a state of its own kernel, which starts anew at random.
    Kernel,
    /// By a state in a variable.
    Variable,
    /// By a seed that it is given.
    Seed,
}

impl Body {
    /// Finds what can be let go after each node.
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

    /// Which node makes each slot, and which of its outputs it is; `None` for arguments.
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
