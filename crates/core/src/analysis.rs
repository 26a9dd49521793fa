//! Analyses a tape before the walk: which values depend on an explained input, which steps form a written-out convolution,
//! normaliser, activation or bias, and which activation gates which weighted sum. [`Tape::prepare`] argues their order.

mod activations;
mod biases;
mod counts;
mod decisions;
mod dependence;
mod embeddings;
mod gates;
mod graph;
mod normalisers;
mod rows;
mod scaling;
mod spectra;
mod turns;

pub(crate) use scaling::of_input as scaling_of;
pub use scaling::{PixelRange, Scaling};

use crate::{Gate, Step, Tape, Tensor, ValueId};
use std::collections::HashMap;

/// A tape that is ready for the walk.
#[derive(Debug)]
pub struct Prepared<T> {
    tape: Tape<T>,
    depends: Vec<bool>,
}

/// Options of the analyses.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Whether saturated activations gate the weighted sums before them.
    pub gates: bool,
    /// Gates by module path, in place of those of the activations; `None` removes a module's gate.
    pub gate_of: HashMap<String, Option<Gate>>,
    /// Whether a token takes the share of the constants that are added to its embedding: its position, its segment.
    pub whole_tokens: bool,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self { gates: true, gate_of: HashMap::new(), whole_tokens: false }
    }
}

impl<T: Tensor> Tape<T> {
    /// Analyses the tape.
    pub fn prepare(mut self, options: &PrepareOptions) -> Prepared<T> {
        let of_value = dependence::mark(&mut self);
        counts::settle(&mut self, &of_value);
        decisions::settle(&mut self, &of_value);
        embeddings::recognise(&mut self, &of_value, options.whole_tokens);
        let depends = of_value.into_iter().map(dependence::Dependence::carries).collect();
        spectra::fold(&mut self);
        // Biases before norms: a constant added to a product is its bias, also where a scale for each feature follows.
        biases::fold(&mut self);
        normalisers::recognise(&mut self);
        activations::recognise(&mut self);
        if options.gates {
            gates::attach(&mut self, &options.gate_of);
        }
        gates::release(&mut self);
        rows::join(&mut self);
        Prepared { tape: self, depends }
    }
}

impl<T> Prepared<T> {
    /// Whether a value depends on an explained input.
    pub fn depends(&self, value: ValueId) -> bool {
        self.depends.get(value.0).copied().unwrap_or(false)
    }

    /// The steps that relevance can reach, with the results of the analyses.
    pub fn steps(&self) -> &[Step<T>] {
        &self.tape.steps
    }

    /// The number of values.
    pub(crate) fn values(&self) -> usize {
        self.tape.values.len()
    }

    pub(crate) fn into_tape(self) -> Tape<T> {
        self.tape
    }
}
