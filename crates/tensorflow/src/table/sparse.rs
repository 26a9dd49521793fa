//! Sparse tables: places, values and a shape (rules §2, §5 and "Sparse tables and matrices"). Places and shapes carry nothing.

use super::Entry;
use super::arguments::{axes, flag};
use super::geometry::natural;
use super::lookups::constant;
use super::matrices::upright;
use crate::lowering::{Lowering, input, integers};
use crate::{Record, Slot, TfTensor, rearrange};
use dlbacktrace_core::ops::{
    Expand, IndexAdd, MatMul, Pass, Product, Quotient, Rearrange, Reduce, Sum, Unruled,
};
use dlbacktrace_core::{BacktraceOp, Error, Family, Function, Operand, Result, Tensor};
use std::collections::HashMap;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["SparseTensorDenseMatMul"], Family::WeightedSum, product),
    // Cells without a value are filled.
    Entry::by_shape(&["SparseToDense"], Family::Movement, |lowering, record| {
        rearrange::lower_filling(lowering, record, &[2], Some(3))
    }),
    Entry::by_shape(&["SparseReorder", "SparseSlice"], Family::Movement, |lowering, record| {
        rearrange::lower_outputs(lowering, record, &[1], 1..2)
    }),
    Entry::by_shape(&["SparseSplit"], Family::Movement, |lowering, record| {
        let parts = record.outputs.len() / 3;
        rearrange::lower_outputs(lowering, record, &[2], parts..2 * parts)
    }),
    Entry::by_shape(&["SparseConcat"], Family::Movement, |lowering, record| {
        let count = record.inputs.len() / 3;
        rearrange::lower_outputs(lowering, record, &(count..2 * count).collect::<Vec<_>>(), 1..2)
    }),
    Entry::by_data(&["SparseReduceSum"], Family::WeightedSum, reduced),
    Entry::by_result(&["SparseAdd"], Family::WeightedSum, sum),
    Entry::by_data(&["SparseDenseCwiseAdd"], Family::WeightedSum, |lowering, record| {
        with_dense(lowering, record, Box::new(Sum::add()))
    }),
    Entry::by_data(&["SparseDenseCwiseMul"], Family::Product, |lowering, record| {
        with_dense(lowering, record, Box::new(Product))
    }),
    Entry::by_data(&["SparseDenseCwiseDiv"], Family::Product, |lowering, record| {
        with_dense(lowering, record, Box::new(Quotient))
    }),
    // Over the values in each row.
    Entry::by_shape(&["SparseSoftmax"], Family::Pass, |lowering, record| {
        let values = lowering.unread(input(record, 1)?);
        lowering.step(record, Box::new(Pass::function(Function::Other)), vec![values])
    }),
    Entry::by_result(&["SparseCross", "SparseCrossV2", "SparseCrossHashed"], Family::Pass, crossed),
];

/// The product with the written-out table, in which values at the same place add up.
fn product(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut right = lowering.operand(input(record, 3)?)?;
    let mut left = written_out(lowering, record)?;
    if flag(record, "adjoint_a") {
        left = upright(lowering, &left)?;
    }
    if flag(record, "adjoint_b") {
        right = upright(lowering, &right)?;
    }
    lowering.step(record, Box::new(MatMul { transposed: false }), vec![left, right])
}

/// Writes out the table whose places, values and shape are the first inputs.
fn written_out(lowering: &mut Lowering, record: &Record) -> Result<Operand<TfTensor>> {
    let values = lowering.operand(input(record, 1)?)?;
    let (shape, cells) = cells(lowering, record)?;
    let count = shape.iter().product();
    let written = values.data()?.zeros(&[count])?.index_add(0, &cells, values.data()?)?;
    let op = IndexAdd { axis: 0, index: cells };
    let written = lowering.writer.inner(Box::new(op), vec![values], written);
    lowering.writer.reshape(&written, &shape)
}

/// The shape of a table, and the cell of each value when it is written out.
fn cells(lowering: &Lowering, record: &Record) -> Result<(Vec<usize>, TfTensor)> {
    let shape = natural("shape", &integers(record, 2)?)?;
    let places = lowering.operand(input(record, 0)?)?.data()?.to_tensor()?;
    let cells = rearrange::places(&lowering.framework.context, c"GatherNd", &shape, &places)?;
    Ok((shape, cells))
}

/// The sum of the written-out table over axes.
fn reduced(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let table = written_out(lowering, record)?;
    let axes = axes(record, 3, table.meta.shape.len())?;
    let axes = if axes.is_empty() { (0..table.meta.shape.len()).collect() } else { axes };
    lowering.step(record, Box::new(Reduce { axes }), vec![table])
}

/// Each value of the sum of two tables is a value of one, or the sum of two at the same place.
fn sum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let [places, values, shape] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no values".into()));
    };
    let to = named(lowering, places)?;
    let mut parts = Vec::with_capacity(2);
    for table in [0, 3] {
        let from: HashMap<_, _> = named(lowering, input(record, table)?)?.into_iter().zip(0..).collect();
        let sources: Vec<i64> = to.iter().map(|place| from.get(place).copied().unwrap_or(-1)).collect();
        let (at, there): (Vec<i64>, Vec<i64>) =
            (0..).zip(&sources).filter(|(_, source)| **source >= 0).unzip();
        let part = lowering.operand(input(record, table + 1)?)?;
        let x = part.data()?;
        let found = x.index_select(0, &x.indices(&there)?)?;
        let data = x.zeros(&[sources.len()])?.index_add(0, &x.indices(&at)?, &found)?;
        let index = x.indices(&sources)?;
        parts.push(lowering.writer.inner(Box::new(Rearrange::new(index)), vec![part], data));
    }
    if let Some(first) = parts.first().cloned() {
        constant(lowering, &first, [places, shape]);
    }
    lowering.writer.step(Box::new(Sum::add()), parts, vec![values.value]);
    Ok(())
}

/// The place of each value of a table.
fn named(lowering: &Lowering, places: &Slot) -> Result<Vec<Vec<i64>>> {
    let places = lowering.operand(places)?;
    let axes = places.meta.shape.get(1).copied().unwrap_or(1).max(1);
    let places: Vec<i64> = places.data()?.to_indices()?.into_iter().collect();
    Ok(places.chunks(axes).map(<[i64]>::to_vec).collect())
}

/// Combines the values of a table with those at the same places of a dense tensor, which broadcasts.
fn with_dense(lowering: &mut Lowering, record: &Record, op: Box<dyn BacktraceOp<TfTensor>>) -> Result<()> {
    let (shape, cells) = cells(lowering, record)?;
    let (values, dense) = (lowering.operand(input(record, 1)?)?, lowering.operand(input(record, 3)?)?);
    let data = dense.data()?.broadcast_to(&shape)?;
    let dense = lowering.writer.inner(Box::new(Expand), vec![dense], data);
    let dense = lowering.writer.reshape(&dense, &[shape.iter().product()])?;
    let data = dense.data()?.index_select(0, &cells)?;
    let dense = lowering.writer.inner(Box::new(Rearrange::new(cells)), vec![dense], data);
    lowering.step(record, op, vec![values, dense])
}

/// Makes a token for each combination of the features' tokens in a sample; the last feature changes first.
fn crossed(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let sparse = usize::try_from(record.operation.int("N").unwrap_or(0)).unwrap_or(0);
    let dense = record.operation.data_types("dense_types").unwrap_or_default().len();
    let [combined, made, shape] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no values".into()));
    };
    let mut features = Vec::with_capacity(sparse + dense);
    for feature in 0..sparse {
        let mut held: HashMap<i64, Vec<i64>> = HashMap::new();
        for (element, row) in rows(lowering, input(record, feature)?)?.into_iter().enumerate() {
            held.entry(row).or_default().push(element as i64);
        }
        features.push((input(record, sparse + feature)?, held));
    }
    for feature in 0..dense {
        let slot = input(record, 3 * sparse + feature)?;
        let &[samples, width] = lowering.meta(slot).shape.as_slice() else {
            return Err(Error::Uncovered("features are rows, one for each sample".into()));
        };
        let held =
            (0..samples as i64).map(|row| (row, (row * width as i64..(row + 1) * width as i64).collect()));
        features.push((slot, held.collect()));
    }
    let samples = rows(lowering, combined)?;
    let like = lowering.operand(combined)?;
    let mut sources = vec![Vec::with_capacity(samples.len()); features.len()];
    let (mut sample, mut place) = (-1, 0);
    for row in samples {
        (sample, place) = if row == sample { (row, place + 1) } else { (row, 0) };
        let mut rest = place;
        for ((_, held), sources) in features.iter().zip(&mut sources).rev() {
            let held = held.get(&row).filter(|held| !held.is_empty());
            let held = held.ok_or_else(|| Error::Uncovered(format!("sample {row} lacks a feature")))?;
            sources.push(held[rest % held.len()]);
            rest /= held.len();
        }
    }
    let mut parts = Vec::with_capacity(features.len());
    for ((slot, _), sources) in features.iter().zip(&sources) {
        let op = Rearrange::new(like.data()?.indices(sources)?);
        let tokens = vec![lowering.unread(slot)];
        parts.push(lowering.writer.inner_shape(Box::new(op), tokens, vec![sources.len()]));
    }
    if let Some(first) = parts.first().cloned() {
        constant(lowering, &first, [combined, shape]);
    }
    let op = Unruled { discrete: true, ..Unruled::default() };
    lowering.writer.step(Box::new(op), parts, vec![made.value]);
    Ok(())
}

/// The sample of each place in a table.
fn rows(lowering: &Lowering, places: &Slot) -> Result<Vec<i64>> {
    Ok(named(lowering, places)?.into_iter().filter_map(|place| place.first().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, integers, longs, numbers, values};
    use crate::proto::Attribute::{Bool, Int};

    #[test]
    fn products_of_sparse_tables_share_by_their_jacobian() {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            let shape = if turned[0] { [4, 3] } else { [3, 4] };
            let places: Vec<i64> = match turned[0] {
                true => vec![0, 1, 1, 0, 1, 2, 3, 1, 2, 0],
                false => vec![1, 0, 0, 1, 2, 1, 1, 3, 0, 2],
            };
            let b = if turned[1] { values(&[2, 4]) } else { values(&[4, 2]) };
            let inputs = [longs(&[5, 2], &places), values(&[5]), longs(&[2], &shape), b];
            let attributes = [("adjoint_a", Bool(turned[0])), ("adjoint_b", Bool(turned[1])), ("T", FLOAT)];
            let case = Case::new("SparseTensorDenseMatMul", &attributes, &inputs);
            case.is_a_sum_of(&[1]);
            case.is_a_sum_of(&[3]);
        }
    }

    #[test]
    fn sums_of_sparse_tables_share_by_their_jacobian() {
        let (places, x, shape) = (longs(&[3, 2], &[0, 2, 1, 0, 1, 3]), values(&[3]), longs(&[2], &[3, 4]));
        let (others, y) = (longs(&[2, 2], &[0, 2, 2, 1]), numbers(&[2], &[0.5, -2.0]));
        for axes in [&[1][..], &[0], &[-1]] {
            let inputs = [places.clone(), x.clone(), shape.clone(), integers(&[axes.len()], axes)];
            Case::new("SparseReduceSum", &[], &inputs).is_a_sum_of(&[1]);
        }
        let both = [places, x, shape.clone(), others, y, shape, numbers(&[], &[0.0])];
        Case::new("SparseAdd", &[], &both).outputs(3).is_a_sum_of(&[1, 4]);
    }

    #[test]
    fn values_meet_what_stands_at_their_places_in_a_dense_table() {
        let table = [longs(&[3, 2], &[0, 2, 1, 0, 1, 3]), values(&[3]), longs(&[2], &[2, 4])];
        for shape in [&[2, 4][..], &[4], &[1]] {
            let inputs = [&table[..], &[values(shape)]].concat();
            Case::new("SparseDenseCwiseAdd", &[], &inputs).is_a_sum_of(&[1, 3]);
            Case::new("SparseDenseCwiseMul", &[], &inputs).is_a_sum_of(&[1]);
            Case::new("SparseDenseCwiseMul", &[], &inputs).is_a_sum_of(&[3]);
            Case::new("SparseDenseCwiseDiv", &[], &inputs).is_a_sum_of(&[1]);
        }
    }

    #[test]
    fn tables_are_joined_divided_and_reshaped() {
        let (places, x, shape) = (longs(&[3, 2], &[0, 2, 1, 0, 1, 3]), values(&[3]), longs(&[2], &[2, 4]));
        let (others, y) = (longs(&[2, 2], &[0, 2, 1, 1]), numbers(&[2], &[0.5, -2.0]));
        let joined = [places.clone(), others, x.clone(), y, shape.clone(), shape.clone()];
        for axis in [0, 1] {
            let attributes = [("concat_dim", Int(axis)), ("N", Int(2)), ("T", FLOAT)];
            Case::new("SparseConcat", &attributes, &joined).outputs(3).is_a_sum_of(&[2, 3]);
        }
        let divided = [longs(&[], &[1]), places, x, shape];
        Case::new("SparseSplit", &[("num_split", Int(2)), ("T", FLOAT)], &divided)
            .outputs(6)
            .is_a_sum_of(&[2]);
    }

    #[test]
    fn values_of_sparse_tables_move() {
        let (places, x) = (longs(&[3, 2], &[0, 2, 1, 0, 2, 1]), values(&[3]));
        let dense = [places.clone(), longs(&[2], &[3, 4]), x.clone(), numbers(&[], &[2.5])];
        Case::new("SparseToDense", &[], &dense).is_a_sum_of(&[2]);
        let mixed = longs(&[3, 2], &[2, 1, 0, 2, 1, 0]);
        let table = [mixed, x.clone(), longs(&[2], &[3, 4])];
        Case::new("SparseReorder", &[], &table).outputs(2).is_a_sum_of(&[1]);
        let part = [places, x, longs(&[2], &[3, 4]), longs(&[2], &[1, 0]), longs(&[2], &[2, 2])];
        Case::new("SparseSlice", &[], &part).outputs(3).is_a_sum_of(&[1]);
    }
}
