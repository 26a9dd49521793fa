//! Elements written or added into others by index (rules §2, §3 and §5).

use super::Entry;
use super::arguments::integer;
use super::lookups::with_rows;
use crate::lowering::{Lowering, input};
use crate::rearrange::{self, places};
use crate::{Record, TfTensor};
use dlbacktrace_core::ops::{Embedding, IndexAdd, IndexExtremum, Pass, Reshape, Slice, TokenScatter};
use dlbacktrace_core::{BacktraceOp, DType, Error, Family, Function, Operand, Range, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["ScatterNd"], Family::WeightedSum, |lowering, record| {
        let source = lowering.operand(input(record, 1)?)?;
        by_element(lowering, record, 0, source, None, Collision::Sum)
    }),
    Entry::by_data(
        &["TensorScatterAdd", "ScatterNdNonAliasingAdd"],
        Family::WeightedSum,
        |lowering, record| {
            let source = lowering.operand(input(record, 2)?)?;
            onto(lowering, record, source, Collision::Sum)
        },
    ),
    Entry::by_data(&["TensorScatterSub"], Family::WeightedSum, |lowering, record| {
        let source = lowering.operand(input(record, 2)?)?;
        let negated = source.data()?.scale(-1.0)?;
        let source = lowering.writer.pass(Pass::function(Function::Scale(-1.0)), &source, negated);
        onto(lowering, record, source, Collision::Sum)
    }),
    Entry::by_result(&["TensorScatterMax", "TensorScatterMin"], Family::Winner, |lowering, record| {
        let source = lowering.operand(input(record, 2)?)?;
        onto(lowering, record, source, Collision::Extremum)
    }),
    Entry::by_shape(&["TensorScatterUpdate"], Family::Movement, |lowering, record| {
        rearrange::lower(lowering, record, &[0, 2])
    }),
    Entry::by_data(&["UnsortedSegmentSum"], Family::WeightedSum, |lowering, record| {
        segments(lowering, record, Collision::Sum)
    }),
    Entry::by_result(&["UnsortedSegmentMax", "UnsortedSegmentMin"], Family::Winner, |lowering, record| {
        segments(lowering, record, Collision::Extremum)
    }),
    Entry::by_data(
        &[
            "SparseSegmentSum",
            "SparseSegmentSumWithNumSegments",
            "SparseSegmentMean",
            "SparseSegmentMeanWithNumSegments",
            "SparseSegmentSqrtN",
            "SparseSegmentSqrtNWithNumSegments",
        ],
        Family::WeightedSum,
        bags,
    ),
    Entry::by_data(&["Bincount", "DenseBincount"], Family::Embedding, counts),
];

/// What the values that meet in a cell become.
#[derive(Clone, Copy)]
enum Collision {
    /// Their sum or mean; scaling a cell does not change the shares.
    Sum,
    /// The largest or the smallest.
    Extremum,
}

impl Collision {
    /// The rule of values that meet along axis 0, with what the operator returned as `result`.
    fn rule(
        self,
        index: TfTensor,
        result: impl FnOnce() -> Result<TfTensor>,
    ) -> Result<Box<dyn BacktraceOp<TfTensor>>> {
        Ok(match self {
            Self::Sum => Box::new(IndexAdd { axis: 0, index }),
            Self::Extremum => Box::new(IndexExtremum { axis: 0, index, result: result()? }),
        })
    }
}

/// Updates meet the elements of a tensor.
fn onto(
    lowering: &mut Lowering,
    record: &Record,
    source: Operand<TfTensor>,
    meeting: Collision,
) -> Result<()> {
    let base = lowering.operand(input(record, 0)?)?;
    by_element(lowering, record, 1, source, Some(base), meeting)
}

/// Each element of the source lands in the cell from which its index would read.
fn by_element(
    lowering: &mut Lowering,
    record: &Record,
    index: usize,
    source: Operand<TfTensor>,
    base: Option<Operand<TfTensor>>,
    meeting: Collision,
) -> Result<()> {
    let output = lowering.output_shape(record)?;
    let index = lowering.operand(input(record, index)?)?.data()?.to_tensor()?;
    let cells = places(&lowering.framework.context, c"GatherNd", &output, &index)?;
    let (landing, count) = (cells.shape()[0], output.iter().product());
    let mut operands = vec![lowering.writer.reshape(&source, &[landing])?];
    if let Some(base) = base {
        operands.push(lowering.writer.reshape(&base, &[count])?);
    }
    let rule = meeting.rule(cells, || lowering.result(record)?.reshape(&[count]))?;
    let met = lowering.writer.inner_shape(rule, operands, vec![count]);
    lowering.step(record, Box::new(Reshape), vec![met])
}

/// Rows over the first axes meet if they have the same number.
fn segments(lowering: &mut Lowering, record: &Record, meeting: Collision) -> Result<()> {
    let source = lowering.operand(input(record, 0)?)?;
    let numbers = lowering.operand(input(record, 1)?)?;
    if numbers.data()?.to_indices()?.iter().any(|&number| number < 0) {
        return Err(Error::Uncovered("segments that are left out have no rule".into()));
    }
    let axes = numbers.meta.shape.len();
    let count = numbers.meta.shape.iter().product();
    let source = lowering.writer.reshape(&source, &[&[count], &source.meta.shape[axes..]].concat())?;
    let rule = meeting.rule(numbers.data()?.reshape(&[count])?, || lowering.result(record))?;
    lowering.step(record, rule, vec![source])
}

/// Rows looked up, then added up by the number of their segment.
fn bags(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (table, rows) = (lowering.operand(input(record, 0)?)?, lowering.operand(input(record, 1)?)?);
    let found = table.data()?.index_select(0, rows.data()?)?;
    let mut found = lowering.writer.inner(Box::new(Embedding), vec![table, rows], found);
    let index = lowering.operand(input(record, 2)?)?.data()?.clone();
    if lowering.reads.more() {
        with_rows(lowering, |_| found.data().cloned())?;
        let weights = lowering.writer.constant(weights(record, &found, &index)?);
        found = lowering.writer.product(&found, &weights)?;
    }
    lowering.step(record, Box::new(IndexAdd { axis: 0, index }), vec![found])
}

/// What each row of a segment counts: 1, 1/n or 1/√n of n rows. It is the same for all rows of a segment, so that it matters to
/// derivatives alone.
fn weights(record: &Record, rows: &Operand<TfTensor>, segments: &TfTensor) -> Result<TfTensor> {
    let segments = segments.to_indices()?;
    let power = match record.operation.operator.as_str() {
        operator if operator.starts_with("SparseSegmentMean") => -1.0,
        operator if operator.starts_with("SparseSegmentSqrtN") => -0.5,
        _ => 0.0,
    };
    let of = |segment: &i64| (segments.iter().filter(|other| *other == segment).count() as f64).powf(power);
    let mut shape = vec![1; rows.meta.shape.len()];
    shape[0] = segments.len();
    let weights = ndarray::ArrayD::from_shape_vec(shape, segments.iter().map(of).collect());
    rows.data()?.floats(weights.map_err(|error| Error::tensor("weights", error))?.view())
}

/// How often each token occurs in each sample or in all, or whether it does: a sum of ones, one for each token.
fn counts(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if lowering.meta(input(record, 2)?).shape.iter().product::<usize>() > 0 {
        return Err(Error::Uncovered("counts of tokens with weights have no rule".into()));
    }
    let tokens = lowering.operand(input(record, 0)?)?;
    let size = integer(record, 1)?;
    let count: usize = tokens.meta.shape.iter().product();
    let samples = match tokens.meta.shape[..] {
        [samples, _] if record.operation.operator == "DenseBincount" => samples,
        _ => 1,
    };
    // Tokens that are not counted meet in one more column, which is left out.
    let column = |token: i64| if (0..size).contains(&token) { token } else { size };
    let cells: Vec<i64> = tokens
        .data()?
        .to_indices()?
        .iter()
        .enumerate()
        .map(|(place, &token)| (place * samples / count.max(1)) as i64 * (size + 1) + column(token))
        .collect();
    let columns = size as usize + 1;
    let index = tokens.data()?.indices(&cells)?;
    let one_each = tokens.data()?.cast(DType::F32)?.full(&[count], 1.0)?;
    let tokens = lowering.writer.reshape(&tokens, &[count])?;
    let ones = lowering.writer.constant(one_each.clone());
    let ones = lowering.writer.inner(Box::new(TokenScatter), vec![ones, tokens], one_each.clone());
    with_rows(lowering, |_| Ok(one_each))?;
    let rule = Box::new(IndexAdd { axis: 0, index });
    let met = lowering.writer.inner_shape(rule, vec![ones], vec![samples * columns]);
    let table = lowering.writer.inner_shape(Box::new(Reshape), vec![met], vec![samples, columns]);
    let regions = vec![vec![Range::full(samples), Range::span(0, columns - 1)]];
    let rule = Box::new(Slice { regions });
    let counted = lowering.writer.inner_shape(rule, vec![table], vec![samples, columns - 1]);
    let shape = lowering.output_shape(record)?;
    let counted = lowering.writer.inner_shape(Box::new(Reshape), vec![counted], shape);
    // Counts may be integers.
    lowering.step(record, Box::new(Pass::identity()), vec![counted])
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, numbers, relevance, values};
    use crate::proto::Attribute::Bool;

    #[test]
    fn what_meets_in_a_cell_shares() {
        let (index, rows) = (integers(&[4, 1], &[2, 0, 2, 1]), values(&[4, 3]));
        Case::new("ScatterNd", &[], &[index.clone(), rows.clone(), integers(&[2], &[3, 3])])
            .is_a_sum_of(&[1]);
        let onto = [values(&[3, 3]), index, rows.clone()];
        for operator in ["TensorScatterAdd", "TensorScatterSub"] {
            Case::new(operator, &[], &onto).is_a_sum_of(&[0, 2]);
        }
        let cells = [values(&[2, 3]), integers(&[2, 2], &[0, 1, 1, 2]), values(&[2])];
        Case::new("TensorScatterUpdate", &[], &cells).is_a_sum_of(&[0, 2]);
        let segments = [values(&[2, 2, 3]), integers(&[2, 2], &[1, 0, 1, 1]), integers(&[], &[2])];
        Case::new("UnsortedSegmentSum", &[], &segments).is_a_sum_of(&[0]);
        let bags = [rows, integers(&[4], &[3, 1, 1, 0]), integers(&[4], &[0, 0, 1, 1])];
        for operator in ["SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN"] {
            Case::new(operator, &[], &bags).is_a_sum_of(&[0]);
        }
    }

    #[test]
    fn tokens_share_where_they_are_counted() {
        // 7 is not counted.
        let tokens = integers(&[2, 4], &[2, 0, 2, 7, 1, 1, 1, 0]);
        let inputs = [tokens, integers(&[], &[3]), numbers(&[0], &[])];
        let start = relevance(6);
        let (twice, thrice) = (start[2] / 2.0, start[4] / 3.0);
        for binary in [false, true] {
            Case::new("DenseBincount", &[("binary_output", Bool(binary))], &inputs)
                .compare(&[0], vec![twice, start[0], twice, 0.0, thrice, thrice, thrice, start[3]]);
        }
        let start = relevance(3);
        let all = [integers(&[4], &[2, 0, 2, 1]), integers(&[], &[3]), numbers(&[0], &[])];
        Case::new("Bincount", &[], &all)
            .compare(&[0], vec![start[2] / 2.0, start[0], start[2] / 2.0, start[1]]);
    }

    #[test]
    fn the_largest_that_meets_takes_all() {
        let onto = [values(&[3, 3]), integers(&[4, 1], &[2, 0, 2, 1]), values(&[4, 3])];
        for operator in ["TensorScatterMax", "TensorScatterMin"] {
            Case::new(operator, &[], &onto).is_won_by(&[0, 2]);
        }
        let segments = [values(&[4, 3]), integers(&[4], &[1, 0, 1, 1]), integers(&[], &[2])];
        for operator in ["UnsortedSegmentMax", "UnsortedSegmentMin"] {
            Case::new(operator, &[], &segments).is_won_by(&[0]);
        }
    }
}
