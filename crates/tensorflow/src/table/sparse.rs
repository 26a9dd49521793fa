//! Sparse tables: places, values and a shape (rules §2, §5 and §9). Places and shapes carry nothing.

use super::Entry;
use super::arguments::flag;
use super::lookups::constant;
use super::matrices::upright;
use crate::lowering::{Lowering, input, integers};
use crate::rearrange::{self, places};
use crate::{Record, Slot};
use dlbacktrace_core::ops::{IndexAdd, MatMul, Rearrange, Unruled};
use dlbacktrace_core::{Error, Family, Result, Tensor, ValueId};
use std::collections::HashMap;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["SparseTensorDenseMatMul"], Family::WeightedSum, product),
    // What is not written is filled in.
    Entry::by_shape(&["SparseToDense"], Family::Movement, |lowering, record| {
        rearrange::lower_filling(lowering, record, &[2], Some(3))
    }),
    Entry::by_shape(&["SparseReorder", "SparseSlice"], Family::Movement, |lowering, record| {
        rearrange::lower_output(lowering, record, &[1], 1)
    }),
    Entry::by_shape(&["SparseConcat"], Family::Movement, |lowering, record| {
        let count = record.inputs.len() / 3;
        rearrange::lower_output(lowering, record, &(count..2 * count).collect::<Vec<_>>(), 1)
    }),
    Entry::by_result(&["SparseCross", "SparseCrossV2", "SparseCrossHashed"], Family::Pass, crossed),
];

/// The product of the table written out, in which values that meet add up.
fn product(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (values, mut right) = (lowering.operand(input(record, 1)?)?, lowering.operand(input(record, 3)?)?);
    let shape = super::geometry::natural("shape", &integers(record, 2)?)?;
    let cells = lowering.operand(input(record, 0)?)?.data()?.to_tensor()?;
    let cells = places(&lowering.context, c"GatherNd", &shape, &cells)?;
    let count = shape.iter().product();
    let written = values.data()?.zeros(&[count])?.index_add(0, &cells, values.data()?)?;
    let op = IndexAdd { axis: 0, index: cells };
    let written = lowering.writer.inner(Box::new(op), vec![values], written);
    let mut left = lowering.writer.reshape(&written, &shape)?;
    if flag(record, "adjoint_a") {
        left = upright(lowering, &left)?;
    }
    if flag(record, "adjoint_b") {
        right = upright(lowering, &right)?;
    }
    lowering.step(record, Box::new(MatMul { transposed: false }), vec![left, right])
}

/// Names made of names: one for each combination of what the features of a sample hold, the last feature changing first.
fn crossed(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let sparse = usize::try_from(record.operation.int("N").unwrap_or(0)).unwrap_or(0);
    let dense = record.operation.data_types("dense_types").unwrap_or_default().len();
    let [combined, made, shape] = record.outputs.as_slice() else {
        return Err(Error::Shape("it returned no values".into()));
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
            return Err(Error::Shape("features are rows, one for each sample".into()));
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
            let held = held.ok_or_else(|| Error::Shape(format!("sample {row} lacks a feature")))?;
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
    lowering.writer.step(Box::new(op), parts, vec![ValueId(made.value.0)]);
    Ok(())
}

/// The sample of each place of a table.
fn rows(lowering: &Lowering, places: &Slot) -> Result<Vec<i64>> {
    let places = lowering.operand(places)?;
    let axes = places.meta.shape.get(1).copied().unwrap_or(1).max(1);
    Ok(places.data()?.to_indices()?.into_iter().step_by(axes).collect())
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, longs, numbers, values};
    use crate::proto::Attribute::Bool;

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
