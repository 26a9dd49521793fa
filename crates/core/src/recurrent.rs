//! Recurrent layers as steps of their parts (rules §6).
//!
//! With x_k = W_k x + b_k and r_k = U_k h′ + c_k for each gate k, where h′ is the h of the step before:
//!
//! - LSTM: i, f, o = σ(x + r), g = tanh(x_g + r_g), C = f⊙C′ + i⊙g, h = o⊙tanh C, then a projection if there is one;
//! - GRU: r, z = σ(x + r), n = tanh(x_n + r⊙r_n), h = (1 − z)⊙n + z⊙h′;
//! - plain: h = tanh(x + r) or relu(x + r).
//!
//! No sum here is gated: a movement or a sum stands between x_k, r_k and any activation. One product W x serves all steps, and
//! one serves all gates, with the same numbers.
//!
//! A layer is two steps of the tape: W x + b, and the recurrence. The second walks back over the layer's own steps one by one,
//! with the rules of DLBacktrace that a written-out cell would meet (`rules.rs`). Where a rule set has other rules for the parts
//! of a cell, each part is a step (`written_out.rs`).

mod cell;
mod pieces;
mod rules;
mod sequence;
mod written_out;

use crate::{Error, Meta, Operand, Result, TapeWriter, Tensor};
use rules::Linear;
use sequence::{Ran, Sequence};

/// The cell that a layer repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Gates i, f, g, o; the state is h and C.
    Lstm,
    /// Gates r, z, n; the state is h.
    Gru,
    /// tanh; the state is h.
    Tanh,
    /// relu; the state is h.
    Relu,
}

/// A layer in one direction. Weights are stored as those of linear layers, `[gates · width, in]`, gate after gate.
#[derive(Debug, Clone)]
pub struct Layer<T> {
    /// The cell.
    pub cell: Cell,
    /// W
    pub input: Operand<T>,
    /// b
    pub input_bias: Option<Operand<T>>,
    /// U
    pub recurrent: Operand<T>,
    /// c
    pub recurrent_bias: Option<Operand<T>>,
    /// The matrix that projects h of an LSTM, `[projected, width]`.
    pub projection: Option<Operand<T>>,
    /// Whether the last step comes first.
    pub reversed: bool,
}

/// The results of a layer.
#[derive(Debug, Clone)]
pub struct Unrolled<T> {
    /// h of every step, one below the other in the order of the operand's rows.
    pub hidden: Operand<T>,
    /// The state after each sample's last step.
    pub state: Vec<Operand<T>>,
}

/// The parameters that a layer applies to its state: U, c and the projection.
#[derive(Debug)]
struct Parameters<T> {
    recurrent: Operand<T>,
    recurrent_bias: Option<Operand<T>>,
    projection: Option<Operand<T>>,
}

impl<T: Tensor> Parameters<T> {
    /// r = U h′ + c
    fn recurrent(&self, hidden: &Operand<T>) -> Result<(Linear<T>, Operand<T>)> {
        Linear::new(hidden.clone(), &self.recurrent, self.recurrent_bias.as_ref())
    }
}

impl<T: Tensor> Layer<T> {
    /// Writes the steps of the layer. The rows of x are the samples of the first step, then those of the second, and so on; step
    /// t has `samples[t]` rows, never more than the step before. `state` holds one row for each sample. `hidden` is h of all
    /// rows, if it is known, which saves running the layer once more.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Uncovered`] or [`Error::Tensor`].
    pub fn unroll(
        &self,
        writer: &mut TapeWriter<T>,
        x: &Operand<T>,
        samples: &[usize],
        state: &[Operand<T>],
        hidden: Option<T>,
    ) -> Result<Unrolled<T>> {
        if !samples.is_sorted_by(|before, after| before >= after)
            || samples.last().is_none_or(|&last| last == 0)
        {
            return Err(Error::Uncovered(format!("a recurrent layer over {samples:?} samples a step")));
        }
        if let Some(part) = state.iter().find(|part| part.meta.shape.first() != samples.first()) {
            let message =
                format!("a recurrent state of shape {:?} for {} samples", part.meta.shape, samples[0]);
            return Err(Error::Uncovered(message));
        }
        let x = writer.linear(x, &self.input, self.input_bias.as_ref())?;
        let parameters = Parameters {
            recurrent: self.recurrent.clone(),
            recurrent_bias: self.recurrent_bias.clone(),
            projection: self.projection.clone(),
        };
        let pieces = pieces::pieces(samples, self.reversed);
        if writer.tape.reads.recurrent_parts() {
            return written_out::unroll(writer, self.cell, &parameters, &pieces, &x, state);
        }
        let ran = match hidden {
            Some(hidden) => Ran::of_hidden(self.cell, &parameters, &pieces, &x, state, hidden)?,
            None => Ran::run(self.cell, &parameters, &pieces, &x, state)?,
        };
        let sequence = Sequence {
            cell: self.cell,
            pieces,
            before: ran.before,
            biased: self.recurrent_bias.is_some(),
            projected: self.projection.is_some(),
        };
        let mut operands = vec![x, parameters.recurrent];
        operands.extend(parameters.recurrent_bias);
        operands.extend(parameters.projection);
        operands.extend_from_slice(state);
        let mut made = |data: T| {
            let value = writer.tape.value(Meta::new(data.shape(), data.dtype()));
            Operand::new(value, data)
        };
        let (hidden, state): (_, Vec<_>) = (made(ran.hidden), ran.state.into_iter().map(made).collect());
        let outputs = std::iter::once(&hidden).chain(&state).map(|output| output.value).collect();
        writer.step(Box::new(sequence), operands, outputs);
        Ok(Unrolled { hidden, state })
    }
}
