//! Lists and arrays of tensors, which loops read from and write to (rules §5).
//!
//! A list is followed from operator to operator as the values of its elements, so it leaves no steps: a read gives the
//! element. An element that was never written is 0, a constant. The arrays of TensorFlow 1 change in place and are
//! known by their handles; in later versions each write makes a new list.

use super::Entry;
use super::arguments::count;
use crate::lowering::{Element, Lowering, input, integers};
use crate::{Record, Slot};
use dlbacktrace_core::ops::{Concat, Constant, Pass, Slice};
use dlbacktrace_core::{Error, Family, Meta, Operand, Range, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["EmptyTensorList"], Family::Movement, |lowering, record| {
        keep(lowering, record, Vec::new())
    }),
    Entry::by_shape(&["TensorListReserve"], Family::Movement, |lowering, record| {
        let length = count(record, 1)?;
        keep(lowering, record, vec![None; length])
    }),
    Entry::by_shape(&["TensorArrayV3"], Family::Movement, |lowering, record| {
        let length = count(record, 0)?;
        let handle = output(record, 0)?.value.0;
        lowering.framework.lists.insert(handle, vec![None; length]);
        Ok(())
    }),
    Entry::by_shape(&["TensorListSetItem", "TensorArrayWriteV3"], Family::Movement, set),
    Entry::by_shape(&["TensorListPushBack"], Family::Movement, push),
    Entry::by_shape(&["TensorListPopBack"], Family::Movement, pop),
    Entry::by_shape(&["TensorListResize"], Family::Movement, resize),
    Entry::by_shape(&["TensorListConcatLists"], Family::Movement, join),
    Entry::by_shape(&["TensorListFromTensor"], Family::Movement, from_tensor),
    Entry::by_shape(&["TensorListScatter", "TensorListScatterV2"], Family::Movement, |lowering, record| {
        let length =
            if record.inputs.len() > 3 { usize::try_from(integers(record, 3)?[0]).ok() } else { None };
        scatter(lowering, record, vec![None; length.unwrap_or(0)], 0, 1)
    }),
    Entry::by_shape(&["TensorListScatterIntoExistingList"], Family::Movement, |lowering, record| {
        let list = elements(lowering, record)?;
        scatter(lowering, record, list, 1, 2)
    }),
    Entry::by_shape(&["TensorArrayScatterV3"], Family::Movement, |lowering, record| {
        let list = elements(lowering, record)?;
        scatter(lowering, record, list, 2, 1)
    }),
    Entry::by_shape(&["TensorListSplit"], Family::Movement, |lowering, record| split(lowering, record, 0, 2)),
    Entry::by_shape(&["TensorArraySplitV3"], Family::Movement, |lowering, record| {
        split(lowering, record, 1, 2)
    }),
    Entry::by_shape(&["TensorListGetItem", "TensorArrayReadV3"], Family::Pass, get),
    Entry::by_shape(&["TensorListStack"], Family::Movement, |lowering, record| {
        let list = elements(lowering, record)?;
        joined(lowering, record, &list, true)
    }),
    Entry::by_shape(&["TensorListGather", "TensorArrayGatherV3"], Family::Movement, gather),
    Entry::by_shape(
        &["TensorListConcat", "TensorListConcatV2", "TensorArrayConcatV3"],
        Family::Movement,
        |lowering, record| {
            let list = elements(lowering, record)?;
            joined(lowering, record, &list, false)
        },
    ),
];

/// The elements of a list, `None` where nothing was written.
type List = Vec<Option<Element>>;

fn output(record: &Record, index: usize) -> Result<&Slot> {
    record.outputs.get(index).ok_or_else(|| Error::Uncovered(format!("there is no output {index}")))
}

/// The list that an operator is given.
fn elements(lowering: &Lowering, record: &Record) -> Result<List> {
    list(lowering, input(record, 0)?)
}

fn list(lowering: &Lowering, slot: &Slot) -> Result<List> {
    let unknown = || Error::Uncovered("the elements of a list from elsewhere are not known".into());
    lowering.framework.lists.get(&slot.value.0).cloned().ok_or_else(unknown)
}

/// Keeps what an operator made of a list: an array stays itself, a list is a new one.
fn keep(lowering: &mut Lowering, record: &Record, list: List) -> Result<()> {
    let in_place = record.operation.operator.starts_with("TensorArray");
    let slot = if in_place { input(record, 0)? } else { output(record, 0)? };
    lowering.framework.lists.insert(slot.value.0, list);
    Ok(())
}

/// Puts an element in its place. A list that is too short grows.
fn place(list: &mut List, index: usize, element: Element) {
    if list.len() <= index {
        list.resize(index + 1, None);
    }
    list[index] = Some(element);
}

fn set(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut list = elements(lowering, record)?;
    place(&mut list, count(record, 1)?, input(record, 2)?.value);
    keep(lowering, record, list)
}

fn push(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut list = elements(lowering, record)?;
    list.push(Some(input(record, 1)?.value));
    keep(lowering, record, list)
}

fn pop(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut list = elements(lowering, record)?;
    let last = list.pop().ok_or_else(|| Error::Uncovered("an empty list has no last element".into()))?;
    read(lowering, last, output(record, 1)?);
    keep(lowering, record, list)
}

fn resize(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut list = elements(lowering, record)?;
    list.resize(count(record, 1)?, None);
    keep(lowering, record, list)
}

fn join(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut both = elements(lowering, record)?;
    both.extend(list(lowering, input(record, 1)?)?);
    keep(lowering, record, both)
}

fn get(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let list = elements(lowering, record)?;
    let index = count(record, 1)?;
    let element =
        list.get(index).ok_or_else(|| Error::Uncovered(format!("the list has no element {index}")))?;
    read(lowering, *element, output(record, 0)?);
    Ok(())
}

/// Reads an element; one that was never written is a constant.
fn read(lowering: &mut Lowering, element: Option<Element>, output: &Slot) {
    let made = vec![output.value];
    match element {
        Some(element) => {
            let meta = lowering.writer.tape.meta(element).clone();
            lowering.writer.step(Box::new(Pass::identity()), vec![Operand::shape_only(element, meta)], made);
        }
        None => lowering.writer.step(Box::new(Constant), Vec::new(), made),
    }
}

fn gather(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let list = elements(lowering, record)?;
    let chosen = |index: i64| usize::try_from(index).ok().and_then(|index| list.get(index).copied());
    let missing = || Error::Uncovered("the list has no such elements".into());
    let chosen: Option<List> = integers(record, 1)?.into_iter().map(chosen).collect();
    joined(lowering, record, &chosen.ok_or_else(missing)?, true)
}

/// The elements one after the other, along a new first axis or along the one they have.
fn joined(lowering: &mut Lowering, record: &Record, list: &[Option<Element>], new_axis: bool) -> Result<()> {
    let Meta { shape, dtype, .. } = lowering.meta(output(record, 0)?);
    let lacking = Meta::new(shape.get(1..).unwrap_or_default().to_vec(), dtype);
    let mut operands = Vec::with_capacity(list.len());
    for element in list {
        let (value, meta) = match element {
            Some(element) => (*element, lowering.writer.tape.meta(*element).clone()),
            None if new_axis => (lowering.writer.tape.value(lacking.clone()), lacking.clone()),
            None => {
                return Err(Error::Uncovered("the length of elements never written is not known".into()));
            }
        };
        operands.push(Operand::shape_only(value, meta));
    }
    if operands.is_empty() {
        return lowering.step(record, Box::new(Constant), operands);
    }
    lowering.step(record, Box::new(Concat { axis: 0, new_axis }), operands)
}

fn from_tensor(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let rows = rows(lowering, input(record, 0)?)?;
    keep(lowering, record, rows.into_iter().map(Some).collect())
}

/// Puts each row in its place.
fn scatter(
    lowering: &mut Lowering,
    record: &Record,
    mut list: List,
    tensor: usize,
    indices: usize,
) -> Result<()> {
    let rows = rows(lowering, input(record, tensor)?)?;
    for (index, row) in integers(record, indices)?.into_iter().zip(rows) {
        let index =
            usize::try_from(index).map_err(|_| Error::Uncovered(format!("a list has no place {index}")))?;
        place(&mut list, index, row);
    }
    keep(lowering, record, list)
}

/// Parts of the given lengths along the first axis.
fn split(lowering: &mut Lowering, record: &Record, tensor: usize, lengths: usize) -> Result<()> {
    let lengths = integers(record, lengths)?.into_iter().map(usize::try_from);
    let lengths: Vec<usize> = lengths
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| Error::Uncovered("negative lengths".into()))?;
    let parts = parts(lowering, input(record, tensor)?, &lengths, true)?;
    keep(lowering, record, parts.into_iter().map(Some).collect())
}

fn rows(lowering: &mut Lowering, slot: &Slot) -> Result<Vec<Element>> {
    let length = lowering.meta(slot).shape.first().copied();
    let length = length.ok_or_else(|| Error::Uncovered("a number has no rows".into()))?;
    parts(lowering, slot, &vec![1; length], false)
}

/// Parts along the first axis. They keep the axis, or are single rows that lose it.
fn parts(lowering: &mut Lowering, slot: &Slot, lengths: &[usize], kept: bool) -> Result<Vec<Element>> {
    let operand = lowering.unread(slot);
    let shape = &operand.meta.shape;
    let (mut start, mut regions, mut values) = (0, Vec::new(), Vec::new());
    for &length in lengths {
        let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
        let no_axis = || Error::Uncovered("a number has no parts".into());
        *region.first_mut().ok_or_else(no_axis)? = Range::span(start, length);
        start += length;
        let extents: Vec<usize> = region.iter().skip(usize::from(!kept)).map(|range| range.len).collect();
        values.push(lowering.writer.tape.value(Meta::new(extents, operand.meta.dtype)));
        regions.push(region);
    }
    if !regions.is_empty() {
        lowering.writer.step(Box::new(Slice { regions }), vec![operand], values.clone());
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
