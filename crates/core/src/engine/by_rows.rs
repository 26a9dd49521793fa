//! Walks steps that map row i to row i together (attention scores → result), so that the full tables between them are never
//! in memory as a whole.

use super::{Explained, Walk};
use crate::row_block::is_causal;
use crate::{Entry, Operand, Relevance, Result, RowBlock, Rows, Step, Tensor, ValueId};

/// The blocks in which to walk a run of steps, given the last first; `None` if walking step by step is as good.
pub(super) fn blocks<T: Tensor>(run: &[Step<T>], walk: &Walk<'_, T>) -> Result<Option<Vec<RowBlock>>> {
    let [last, inner @ ..] = run else { return Ok(None) };
    if inner.is_empty() {
        return Ok(None);
    }
    let between = |step: &Step<T>| step.outputs.first().copied();
    // The walk may start at a value between the steps.
    let started = inner.iter().filter_map(between).any(|value| walk.arrived.has(value));
    let (Some(left), Some(result), false) = (last.inputs.first(), between(last), started) else {
        return Ok(None);
    };
    let (table, result) = (&left.meta.shape, &walk.values[result.0].shape);
    let tables = |shape: &[usize]| shape.split_last_chunk::<2>().map(|(tables, _)| tables.to_vec());
    // Several heads may read one table.
    if tables(table) != tables(result) {
        return Ok(None);
    }
    let causal = left.data().and_then(is_causal).map_err(|source| source.at(last))?;
    let blocks = RowBlock::of(table, causal);
    Ok((blocks.len() > 1).then_some(blocks))
}

/// The relevance that a run hands to the values outside it, collected block by block.
struct Run<'a, T> {
    steps: &'a [Step<T>],
    /// For each step, the relevance of each operand, except the value that the step before made.
    shares: Vec<Vec<Option<Relevance<T>>>>,
    entries: Vec<Entry>,
    /// The relevance of each step's result, if the observer asks for it.
    between: Vec<Option<Relevance<T>>>,
}

/// Walks a run; `relevance` is what arrived at its result.
pub(super) fn walk<T: Tensor>(
    steps: &[Step<T>],
    blocks: &[RowBlock],
    relevance: &Relevance<T>,
    walk: &mut Walk<'_, T>,
) -> Result<()> {
    let mut run = Run::new(steps, relevance, walk)?;
    for &block in blocks {
        walk.tell()?;
        run.add(block, relevance, walk)?;
    }
    let Run { shares, entries, between, .. } = run;
    let mut reader: Option<&Step<T>> = None;
    for (((step, shares), entry), relevance) in steps.iter().zip(shares).zip(entries).zip(between) {
        let value = step.outputs.first().copied();
        if let (Some(reader), Some(value)) = (reader, value) {
            walk.observer.handed(Some(&reader.place), value, entry.received);
        }
        if let (Some(relevance), Some(value)) = (relevance, value) {
            walk.observer.arrived(value, &step.operator, &step.place, &relevance)?;
        }
        walk.hand_on(step, shares)?;
        walk.ledger.entries.push(entry);
        reader = Some(step);
    }
    Ok(())
}

impl<'a, T: Tensor> Run<'a, T> {
    fn new(steps: &'a [Step<T>], relevance: &Relevance<T>, walk: &Walk<'_, T>) -> Result<Self> {
        let made: Vec<Option<ValueId>> = steps.iter().map(|step| step.outputs.first().copied()).collect();
        let inner = |value: ValueId| made.get(1..).is_some_and(|made| made.contains(&Some(value)));
        let shares = steps.iter().map(|step| {
            let outside = |operand: &Operand<T>| operand.depends && !inner(operand.value);
            let share = |operand| outside(operand).then(|| none(relevance, operand)).transpose();
            step.inputs.iter().map(share).collect()
        });
        let between = steps.iter().enumerate().map(|(index, step)| {
            let value = step.outputs.first().filter(|value| index > 0 && walk.observer.watches(**value));
            value.map(|value| relevance.none(&walk.values[value.0])).transpose()
        });
        Ok(Self {
            steps,
            shares: shares.collect::<Result<_>>()?,
            entries: steps.iter().map(Entry::of).collect(),
            between: between.collect::<Result<_>>()?,
        })
    }

    /// Takes one block from the result of the run to its beginning.
    fn add(&mut self, block: RowBlock, relevance: &Relevance<T>, walk: &Walk<'_, T>) -> Result<()> {
        let columns = relevance.shape().last().copied().unwrap_or(1);
        let mut block = RowBlock { columns, ..block }.reached(relevance)?;
        if block.columns == 0 {
            return Ok(());
        }
        let mut arrived = relevance.map(|channel| block.cut(Rows::Same, channel))?;
        for (index, step) in self.steps.iter().enumerate() {
            let next = self.step(index, block, arrived, walk).map_err(|source| source.at(step))?;
            let Some(next) = next else { break };
            (block, arrived) = next;
        }
        Ok(())
    }

    /// Takes a block through one step; returns the block and relevance for the step before.
    fn step(
        &mut self,
        index: usize,
        mut block: RowBlock,
        arrived: Relevance<T>,
        walk: &Walk<'_, T>,
    ) -> Result<Option<(RowBlock, Relevance<T>)>> {
        let step = &self.steps[index];
        let rows = |input: usize| step.op.rows(&step.inputs, input).unwrap_or(Rows::Same);
        if let (Rows::Left, Some(left)) = (rows(0), step.inputs.first()) {
            block = block.summing(left.data()?)?;
        }
        if let Some(whole) = self.between[index].take() {
            self.between[index] = Some(block.add(Rows::Same, whole, &arrived)?);
        }
        let part = |(input, operand): (usize, _)| block.operand(rows(input), operand);
        let inputs = step.inputs.iter().enumerate().map(part).collect::<Result<Vec<_>>>()?;
        let result = step.result.as_ref().map(|result| block.cut(Rows::Same, result)).transpose()?;
        let Explained { shares, entry } = walk.explain(step, &inputs, result, &[Some(arrived)])?;
        self.entries[index] += entry;
        let mut next = None;
        for (input, share) in shares.into_iter().enumerate() {
            let Some(share) = share else { continue };
            let whole = &mut self.shares[index][input];
            match whole.take() {
                Some(sum) => *whole = Some(block.add(rows(input), sum, &share)?),
                None if rows(input) == Rows::Left => {
                    next = Some((RowBlock { columns: block.inner, ..block }, share));
                }
                None => next = Some((block, share)),
            }
        }
        Ok(next)
    }
}

/// Zero relevance of an operand, laid out in memory as its shares will be.
fn none<T: Tensor>(relevance: &Relevance<T>, operand: &Operand<T>) -> Result<Relevance<T>> {
    let mut meta = operand.meta.clone();
    match (&operand.data, meta.shape.as_mut_slice()) {
        (Some(data), [.., rows, columns]) if data.is_column_major() => {
            std::mem::swap(rows, columns);
            relevance.none(&meta)?.map_conserving(Tensor::transpose)
        }
        _ => relevance.none(&meta),
    }
}
