//! Analyses a tape before the walk: which values depend on an explained input, which steps form a written-out convolution,
//! normaliser, activation or bias, and which activation gates which weighted sum. [`Tape::prepare`] argues their order.

mod activations;
mod batch_norms;
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

pub(crate) use batch_norms::is_batch_norm;
pub(crate) use scaling::of_input as scaling_of;
pub use scaling::{PixelRange, Scaling};

use crate::rules::BatchNorm;
use crate::{Gate, Result, Step, Tape, Tensor, ValueId, WeightCache};
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
    /// What becomes of batch norms, in place of what the rule set says.
    pub batch_norm: Option<BatchNorm>,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self { gates: true, gate_of: HashMap::new(), whole_tokens: false, batch_norm: None }
    }
}

impl<T: Tensor> Tape<T> {
    /// Analyses the tape. Each analysis reads what those before it left, so their order is part of the result:
    ///
    /// 1. `dependence` comes first, because every other analysis asks which operands depend on an explained input.
    /// 2. `counts` and `decisions` come before all that look for the only consumer of a value (`biases`, `gates`, `rows`): they
    ///    take relevance away from operands, and an operand that receives nothing is not a consumer. `counts` is the first of
    ///    the two, because a decision is about the operands that still receive.
    /// 3. `embeddings` looks for sums with constants, so it comes before `normalisers`, which may take such a sum for the centring
    ///    of a norm and turn it into a pass.
    /// 4. `spectra` makes convolutions, so it comes before `biases` and `gates`, which a convolution takes.
    /// 5. `biases` comes before `normalisers`: a constant added to a product is its bias, even if a scale for each feature
    ///    follows. `normalisers` would take it for the mean of a norm, and it would receive nothing.
    /// 6. `batch_norms` folds, if it is asked to, between these two: behind `biases`, because a layer then has its bias, and before
    ///    `normalisers`, which would make passes of the steps of a written-out batch norm.
    /// 7. `normalisers` comes before `activations`. It reads a product of two functions of x as a function of x, which it could
    ///    not if the product had become an activation's pass. In return, `activations` reads the result of a norm as a value of
    ///    its own, so that a written-out x̂·σ(x̂) behind a norm is a function of x̂.
    /// 8. `gates` comes after both. A written-out softmax or x·σ(x) reads the result of its layer several times; only after
    ///    they are recognised is there one function as the only consumer. `release` then drops what only gates read.
    /// 9. `rows` comes last, because it needs the final rules: only a recognised softmax keeps rows apart. It also reorders
    ///    steps.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if a weight cannot be folded.
    pub fn prepare(mut self, options: &PrepareOptions, weights: &WeightCache<T>) -> Result<Prepared<T>> {
        let of_value = dependence::mark(&mut self);
        counts::settle(&mut self, &of_value);
        decisions::settle(&mut self, &of_value);
        embeddings::recognise(&mut self, &of_value, options.whole_tokens);
        let depends = of_value.into_iter().map(dependence::Dependence::carries).collect();
        spectra::fold(&mut self);
        biases::fold(&mut self);
        if options.batch_norm == Some(BatchNorm::Fold) {
            batch_norms::fold(&mut self, weights)?;
        }
        normalisers::recognise(&mut self);
        activations::recognise(&mut self);
        if options.gates {
            gates::attach(&mut self, &options.gate_of);
        }
        gates::release(&mut self);
        rows::join(&mut self);
        Ok(Prepared { tape: self, depends })
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
