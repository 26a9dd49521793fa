//! Recurrent layers as steps of their parts (rules §6).
//!
//! With x_k = W_k x + b_k and r_k = U_k h′ + c_k for each gate k, where h′ is what the step before gave:
//!
//! - LSTM: i, f, o = σ(x + r), g = tanh(x_g + r_g), C = f⊙C′ + i⊙g, h = o⊙tanh C, if need be projected;
//! - GRU: r, z = σ(x + r), n = tanh(x_n + r⊙r_n), h = (1 − z)⊙n + z⊙h′;
//! - plain: h = tanh(x + r) or relu(x + r).
//!
//! No sum here is gated: x_k and r_k go through a movement or a sum before any activation. The products W x of all
//! steps are one, and so are those of all gates: the numbers are the same.

mod cell;

use crate::{Error, Operand, Result, TapeWriter, Tensor};

/// What a layer repeats.
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
    /// What h of an LSTM is multiplied by, `[projected, width]`.
    pub projection: Option<Operand<T>>,
    /// Whether the last step comes first.
    pub reversed: bool,
}

/// What a layer gives.
#[derive(Debug, Clone)]
pub struct Unrolled<T> {
    /// h of every step, one below the other as the operand's rows were.
    pub hidden: Operand<T>,
    /// The state after each sample's last step.
    pub state: Vec<Operand<T>>,
}

impl<T: Tensor> Layer<T> {
    /// Writes the steps of the layer. The rows of x are the samples of the first step, then those of the second and
    /// so on: `samples` of each, never more than in the step before. `state` holds one row for each sample.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Shape`] or [`Error::Tensor`].
    pub fn unroll(
        &self,
        writer: &mut TapeWriter<T>,
        x: &Operand<T>,
        samples: &[usize],
        state: &[Operand<T>],
    ) -> Result<Unrolled<T>> {
        if !samples.is_sorted_by(|before, after| before >= after) || samples.is_empty() {
            return Err(Error::Shape(format!("a recurrent layer over {samples:?} samples a step")));
        }
        let projected = writer.linear(x, &self.input, self.input_bias.as_ref())?;
        let mut steps = writer.parts(&projected, 0, samples)?;
        if self.reversed {
            steps.reverse();
        }
        let first = steps.first().map_or(0, rows);
        let mut states =
            state.iter().map(|initial| Rows::new(writer, initial, first)).collect::<Result<Vec<_>>>()?;
        let mut hidden = Vec::with_capacity(steps.len());
        for x in &steps {
            for state in &mut states {
                state.resize(writer, rows(x))?;
            }
            let before: Vec<_> = states.iter().map(|state| state.running.clone()).collect();
            let after = self.step(writer, x, &before)?;
            hidden.extend(after.first().cloned());
            for (state, after) in states.iter_mut().zip(after) {
                state.running = after;
            }
        }
        if self.reversed {
            hidden.reverse();
        }
        let state = states.into_iter().map(|state| state.end(writer)).collect::<Result<_>>()?;
        Ok(Unrolled { hidden: writer.concat(hidden, 0)?, state })
    }
}

/// A state's rows of the samples that run. Forwards, samples end and their rows are put aside; backwards, they begin.
struct Rows<T> {
    running: Operand<T>,
    initial: Operand<T>,
    ended: Vec<Operand<T>>,
}

impl<T: Tensor> Rows<T> {
    fn new(writer: &mut TapeWriter<T>, initial: &Operand<T>, count: usize) -> Result<Self> {
        let running = match rows(initial) == count {
            true => initial.clone(),
            false => writer.narrow(initial, 0, 0, count)?,
        };
        Ok(Self { running, initial: initial.clone(), ended: Vec::new() })
    }

    fn resize(&mut self, writer: &mut TapeWriter<T>, count: usize) -> Result<()> {
        let running = rows(&self.running);
        if count < running {
            let [go_on, end] = exactly(writer.parts(&self.running, 0, &[count, running - count])?)?;
            self.running = go_on;
            self.ended.push(end);
        } else if count > running {
            let begin = writer.narrow(&self.initial, 0, running, count - running)?;
            self.running = writer.concat(vec![self.running.clone(), begin], 0)?;
        }
        Ok(())
    }

    /// The rows of all samples, of which those with the fewest steps are last.
    fn end(mut self, writer: &mut TapeWriter<T>) -> Result<Operand<T>> {
        self.ended.push(self.running);
        self.ended.reverse();
        writer.concat(self.ended, 0)
    }
}

fn rows<T>(x: &Operand<T>) -> usize {
    x.meta.shape.first().copied().unwrap_or(0)
}

/// As many parts as were asked for.
fn exactly<T, const N: usize>(parts: Vec<Operand<T>>) -> Result<[Operand<T>; N]> {
    parts.try_into().map_err(|_| Error::Shape(format!("not the {N} parts of a recurrent cell")))
}
