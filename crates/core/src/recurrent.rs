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
        let mut running: Vec<Operand<T>> = Vec::new();
        let mut ended: Vec<Vec<Operand<T>>> = state.iter().map(|_| Vec::new()).collect();
        let mut hidden = Vec::with_capacity(steps.len());
        for x in &steps {
            let (before, count) = (running.first().map_or(0, rows), rows(x));
            if count < before {
                for (state, ended) in running.iter_mut().zip(&mut ended) {
                    let [go_on, end] = exactly(writer.parts(state, 0, &[count, before - count])?)?;
                    *state = go_on;
                    ended.push(end);
                }
            }
            running = match before {
                0 => self.begin(writer, x, state, 0)?,
                _ if count <= before => self.step(writer, x, &running)?,
                // Samples that begin are kept apart from those that run: their state may be a constant.
                _ => {
                    let [old, new] = exactly(writer.parts(x, 0, &[before, count - before])?)?;
                    let pairs = self.step(writer, &old, &running)?.into_iter();
                    let pairs = pairs.zip(self.begin(writer, &new, state, before)?);
                    pairs.map(|(old, new)| writer.concat(vec![old, new], 0)).collect::<Result<_>>()?
                }
            };
            hidden.extend(running.first().cloned());
        }
        if self.reversed {
            hidden.reverse();
        }
        // Those with the fewest steps are last.
        let all = |(running, mut ended): (_, Vec<_>)| {
            ended.push(running);
            ended.reverse();
            writer.concat(ended, 0)
        };
        let state = running.into_iter().zip(ended).map(all).collect::<Result<_>>()?;
        Ok(Unrolled { hidden: writer.concat(hidden, 0)?, state })
    }

    /// The first step of the samples from `start` on, as many as x has.
    fn begin(
        &self,
        writer: &mut TapeWriter<T>,
        x: &Operand<T>,
        state: &[Operand<T>],
        start: usize,
    ) -> Result<Vec<Operand<T>>> {
        let count = rows(x);
        let initial = |state: &Operand<T>| match rows(state) {
            all if all == count => Ok(state.clone()),
            _ => writer.narrow(state, 0, start, count),
        };
        let initial = state.iter().map(initial).collect::<Result<Vec<_>>>()?;
        self.step(writer, x, &initial)
    }
}

fn rows<T>(x: &Operand<T>) -> usize {
    x.meta.shape.first().copied().unwrap_or(0)
}

/// As many parts as were asked for.
fn exactly<T, const N: usize>(parts: Vec<Operand<T>>) -> Result<[Operand<T>; N]> {
    parts.try_into().map_err(|_| Error::Shape(format!("not the {N} parts of a recurrent cell")))
}
