//! Recurrent layers and cells, packed sequences (rules §6).

use super::Entry;
use super::parts::{self, Operand, computed};
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{Bundle, Constant, Rearrange};
use dlbacktrace_core::recurrent::{Cell, Layer};
use dlbacktrace_core::{Error, Family, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};
use tch::TchError;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(&["aten::lstm"], Family::Product, |lowering, call| layers(lowering, call, Cell::Lstm)),
    Entry::by_result(&["aten::gru"], Family::Product, |lowering, call| layers(lowering, call, Cell::Gru)),
    Entry::by_result(&["aten::rnn_tanh"], Family::WeightedSum, |lowering, call| {
        layers(lowering, call, Cell::Tanh)
    }),
    Entry::by_result(&["aten::rnn_relu"], Family::WeightedSum, |lowering, call| {
        layers(lowering, call, Cell::Relu)
    }),
    Entry::by_data(&["aten::lstm_cell"], Family::Product, |lowering, call| cell(lowering, call, Cell::Lstm)),
    Entry::by_data(&["aten::gru_cell"], Family::Product, |lowering, call| cell(lowering, call, Cell::Gru)),
    Entry::by_data(&["aten::rnn_tanh_cell"], Family::WeightedSum, |lowering, call| {
        cell(lowering, call, Cell::Tanh)
    }),
    Entry::by_data(&["aten::rnn_relu_cell"], Family::WeightedSum, |lowering, call| {
        cell(lowering, call, Cell::Relu)
    }),
    Entry::by_shape(&["aten::_pack_padded_sequence"], Family::Movement, pack),
    Entry::by_shape(&["aten::_pad_packed_sequence"], Family::Movement, pad),
];

/// Stacked layers, each in one direction or two; returns their last states beside the result of the uppermost.
fn layers(lowering: &mut Lowering, call: &Call, cell: Cell) -> Result<()> {
    let directions = if call.flag("bidirectional") { 2 } else { 1 };
    let count = usize::try_from(call.int("num_layers")?).unwrap_or(0);
    let layers = stored(lowering, call, cell, count * directions)?;
    let (mut x, samples) = rows(lowering, call)?;
    let initial = states(call)?
        .into_iter()
        .map(|slot| by_layer(lowering, slot, layers.len()))
        .collect::<Result<Vec<_>>>()?;
    let mut last = vec![Vec::with_capacity(layers.len()); initial.len()];
    for (level, layers) in layers.chunks(directions).enumerate() {
        let mut known = if level + 1 == count { uppermost(lowering, call, directions)? } else { Vec::new() };
        known.resize_with(directions, || None);
        let mut sides = Vec::with_capacity(directions);
        for ((side, layer), known) in layers.iter().enumerate().zip(known) {
            let state: Vec<_> =
                initial.iter().map(|parts| parts[level * directions + side].clone()).collect();
            let unrolled = layer.unroll(&mut lowering.writer, &x, &samples, &state, known)?;
            sides.push(unrolled.hidden);
            last.iter_mut().zip(unrolled.state).for_each(|(last, state)| last.push(state));
        }
        x = lowering.writer.concat(sides, 1)?;
    }
    let mut results = vec![unrows(lowering, call, &x, &samples)?];
    for states in last {
        let joined = lowering.writer.concat(states, 0)?;
        let width = joined.meta.shape.last().copied().unwrap_or(0);
        let shape = [layers.len(), samples.first().copied().unwrap_or(0), width];
        results.push(lowering.writer.reshape(&joined, &shape)?);
    }
    lowering.step(call, Box::new(Bundle), results)
}

/// h of the uppermost layers, row by row: what the call returned, with both directions beside each other.
fn uppermost(lowering: &Lowering, call: &Call, directions: usize) -> Result<Vec<Option<TorchTensor>>> {
    let mut hidden = parts::result(lowering, call)?;
    if call.optional("batch_sizes").is_none() {
        if call.flag("batch_first") {
            hidden = hidden.permute(&[1, 0, 2])?;
        }
        let shape = hidden.shape();
        hidden = hidden.reshape(&[shape[..2].iter().product(), shape[2]])?;
    }
    let width = hidden.shape()[1] / directions;
    Ok(hidden.split(1, &vec![width; directions])?.into_iter().map(Some).collect())
}

/// A single step.
fn cell(lowering: &mut Lowering, call: &Call, cell: Cell) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let [samples, _] = x.meta.shape[..] else {
        return Err(Error::Uncovered(format!(
            "a recurrent cell on shape {:?} instead of [N, C]",
            x.meta.shape
        )));
    };
    let weight = |name: &str| lowering.operand(call.tensor(name)?);
    let bias = |name: &str| call.optional(name).map(|slot| lowering.operand(slot)).transpose();
    let layer = Layer {
        cell,
        input: weight("w_ih")?,
        input_bias: bias("b_ih")?,
        recurrent: weight("w_hh")?,
        recurrent_bias: bias("b_hh")?,
        projection: None,
        reversed: false,
    };
    let state = states(call)?.into_iter().map(|slot| lowering.operand(slot)).collect::<Result<Vec<_>>>()?;
    let unrolled = layer.unroll(&mut lowering.writer, &x, &[samples], &state, None)?;
    lowering.step(call, Box::new(Bundle), unrolled.state)
}

/// The weights, layer after layer and forwards before backwards: W, U, then biases and a projection if there are any.
fn stored(lowering: &Lowering, call: &Call, cell: Cell, count: usize) -> Result<Vec<Layer<TorchTensor>>> {
    let wrong = || Error::Uncovered("the weights are not those of recurrent layers".into());
    let slots = call.tensors("params")?.into_iter().collect::<Option<Vec<&Slot>>>().ok_or_else(wrong)?;
    let each = slots.len().checked_div(count).filter(|&each| each > 0).ok_or_else(wrong)?;
    let layer = |(index, slots): (usize, &[&Slot])| {
        let mut operands = slots.iter().map(|slot| lowering.operand(slot));
        let (input, recurrent) = (operands.next().ok_or_else(wrong)??, operands.next().ok_or_else(wrong)??);
        let biased = call.flag("has_biases");
        let mut bias = || if biased { operands.next().transpose() } else { Ok(None) };
        let (input_bias, recurrent_bias) = (bias()?, bias()?);
        let projection = operands.next().transpose()?;
        let reversed = call.flag("bidirectional") && index % 2 == 1;
        Ok(Layer { cell, input, input_bias, recurrent, recurrent_bias, projection, reversed })
    };
    slots.chunks(each).enumerate().map(layer).collect()
}

/// The initial states: one tensor, or a list of them.
fn states(call: &Call) -> Result<Vec<&Slot>> {
    match call.optional("hx") {
        Some(state) => Ok(vec![state]),
        None => Ok(call.tensors("hx")?.into_iter().flatten().collect()),
    }
}

/// `[layers, N, width]` as one `[N, width]` for each layer.
fn by_layer(lowering: &mut Lowering, slot: &Slot, layers: usize) -> Result<Vec<Operand>> {
    let state = lowering.operand(slot)?;
    let &[count, samples, width] = state.meta.shape.as_slice() else {
        return Err(Error::Uncovered(format!("a recurrent state of shape {:?}", state.meta.shape)));
    };
    if count != layers {
        return Err(Error::Uncovered(format!("{count} states for {layers} recurrent layers")));
    }
    let joined = lowering.writer.reshape(&state, &[count * samples, width])?;
    lowering.writer.parts(&joined, 0, &vec![samples; layers])
}

/// The samples of all steps, step after step, and the number of samples in each.
fn rows(lowering: &mut Lowering, call: &Call) -> Result<(Operand, Vec<usize>)> {
    if let Some(sizes) = call.optional("batch_sizes") {
        let sizes = lowering.operand(sizes)?.data()?.to_indices()?;
        let sizes = sizes.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        return Ok((lowering.operand(call.tensor("data")?)?, sizes));
    }
    let mut x = lowering.operand(call.tensor("input")?)?;
    if call.flag("batch_first") {
        x = lowering.writer.permute(&x, &[1, 0, 2])?;
    }
    let &[steps, samples, width] = x.meta.shape.as_slice() else {
        return Err(Error::Uncovered(format!(
            "a recurrent layer on {:?} instead of [T, N, C]",
            x.meta.shape
        )));
    };
    let rows = lowering.writer.reshape(&x, &[steps * samples, width])?;
    Ok((rows, vec![samples; steps]))
}

/// Undoes [`rows`].
fn unrows(lowering: &mut Lowering, call: &Call, x: &Operand, samples: &[usize]) -> Result<Operand> {
    if call.optional("batch_sizes").is_some() {
        return Ok(x.clone());
    }
    let width = x.meta.shape.last().copied().unwrap_or(0);
    let y = lowering.writer.reshape(x, &[samples.len(), samples.first().copied().unwrap_or(0), width])?;
    if call.flag("batch_first") { lowering.writer.permute(&y, &[1, 0, 2]) } else { Ok(y) }
}

fn pack(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let lengths = lowering.operand(call.tensor("lengths")?)?;
    let lengths = lengths.data()?.as_tch();
    packing(lowering, call, "input", |numbers| {
        numbers.f_internal_pack_padded_sequence(lengths, call.flag("batch_first"))
    })
}

fn pad(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let sizes = lowering.operand(call.tensor("batch_sizes")?)?;
    let (sizes, length) = (sizes.data()?.as_tch(), call.int("total_length")?);
    packing(lowering, call, "data", |numbers| {
        tch::Tensor::f_internal_pad_packed_sequence(numbers, sizes, call.flag("batch_first"), 0, length)
    })
}

/// Elements move as their numbers do; the counts carry nothing.
fn packing(
    lowering: &mut Lowering,
    call: &Call,
    name: &str,
    map: impl Fn(&tch::Tensor) -> std::result::Result<(tch::Tensor, tch::Tensor), TchError>,
) -> Result<()> {
    let slot = call.tensor(name)?;
    let moved = computed(map(&rearrange::numbers(&lowering.meta(slot).shape)?).map(|(moved, _)| moved))?;
    let moves = Rearrange::new(rearrange::to_index(moved.as_tch())?);
    let operand = lowering.unread(slot);
    let mut values = lowering.made(call).into_iter();
    lowering.writer.step(Box::new(moves), vec![operand], values.next().into_iter().collect());
    lowering.writer.step(Box::new(Constant), Vec::new(), values.collect());
    Ok(())
}
