//! Reductions along axes (rules §2, §3 and "Statistics that are not part of a norm").

use super::Entry;
use super::parts::{self, Operand};
use crate::TorchTensor;
use crate::arguments::{Arguments, axes, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{
    Concat, CumulativeSum, Extremum, LogAddExp, Measure, PairwiseExtremum, Product, Reduce, Statistic, Sum,
};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{BacktraceOp, Error, Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::sum", "aten::mean"], Family::WeightedSum, reduce)
        .of_kinds(&[Kind::Average])
        .by_parts(),
    Entry::by_data(&["aten::nansum", "aten::nanmean"], Family::WeightedSum, numbers_only),
    Entry::by_data(&["aten::cumsum"], Family::WeightedSum, cumulative).of_kinds(&[Kind::Average]).by_parts(),
    Entry::by_data(&["aten::prod"], Family::Product, factors),
    Entry::by_result(&["aten::cumprod"], Family::Product, |lowering, call| {
        running(lowering, call, || Box::new(Product))
    }),
    Entry::by_result(&["aten::logcumsumexp"], Family::WeightedSum, |lowering, call| {
        running(lowering, call, || Box::new(LogAddExp))
    }),
    Entry::by_data(&["aten::amax"], Family::Winner, |lowering, call| extremum(lowering, call, true)),
    Entry::by_data(&["aten::amin"], Family::Winner, |lowering, call| extremum(lowering, call, false)),
    Entry::by_data(&["aten::max"], Family::Winner, |lowering, call| extremum(lowering, call, true)),
    Entry::by_data(&["aten::min"], Family::Winner, |lowering, call| extremum(lowering, call, false)),
    Entry::by_shape(
        &[
            "aten::topk",
            "aten::sort",
            "aten::kthvalue",
            "aten::median",
            "aten::mode",
            "aten::cummax",
            "aten::cummin",
        ],
        Family::Movement,
        picked,
    ),
    Entry::by_data(
        &["aten::norm", "aten::linalg_vector_norm", "aten::linalg_norm"],
        Family::WeightedSum,
        norm,
    ),
    Entry::by_data(&["aten::cdist"], Family::WeightedSum, distances),
    Entry::by_data(
        &["aten::var", "aten::std", "aten::var_mean", "aten::std_mean"],
        Family::WeightedSum,
        |lowering, call| statistic(lowering, call, Measure::Spread),
    ),
    Entry::by_data(&["aten::logsumexp"], Family::WeightedSum, |lowering, call| {
        statistic(lowering, call, Measure::LogSumExp)
    }),
];

fn reduce(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    over_axes(lowering, call, operand, |axes| Box::new(Reduce { axes }))
}

/// Reductions in which NaN counts as 0.
fn numbers_only(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    let data = operand.data()?.as_tch();
    let data = data.f_isnan().and_then(|missing| data.f_masked_fill(&missing, 0.0));
    let operand = operand.holding(parts::computed(data)?);
    over_axes(lowering, call, operand, |axes| Box::new(Reduce { axes }))
}

/// An operand reduced over the axes that the call names, or over all if it names none.
fn over_axes(
    lowering: &mut Lowering,
    call: &Call,
    operand: Operand,
    rule: impl FnOnce(Vec<usize>) -> Box<dyn BacktraceOp<TorchTensor>>,
) -> Result<()> {
    let axes = axes(call.ints("dim"), operand.meta.shape.len())?;
    lowering.step(call, rule(axes), vec![operand])
}

fn cumulative(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    let axis = axis(call.int("dim")?, operand.meta.shape.len())?;
    lowering.step(call, Box::new(CumulativeSum { axis }), vec![operand])
}

/// A product of all elements, factor after factor.
fn factors(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    let axes = axes(call.ints("dim"), operand.meta.shape.len())?;
    let product = lowering.writer.product_over(&operand, &axes)?;
    parts::finish(lowering, call, product)
}

/// Combines all elements up to each one along an axis, two at a time.
fn running(
    lowering: &mut Lowering,
    call: &Call,
    combine: fn() -> Box<dyn BacktraceOp<TorchTensor>>,
) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    let axis = axis(call.int("dim")?, operand.meta.shape.len())?;
    let Some(&extent) = operand.meta.shape.get(axis) else {
        return parts::finish(lowering, call, operand);
    };
    let single = vec![1; extent];
    let results = parts::result(lowering, call)?.split(axis, &single)?;
    let elements = lowering.writer.parts(&operand, axis, &single)?;
    let found = lowering.writer.running(combine, elements, results);
    lowering.step(call, Box::new(Concat { axis, new_axis: false }), found)
}

fn extremum(lowering: &mut Lowering, call: &Call, largest: bool) -> Result<()> {
    let operand = lowering.number(call, call.tensor("self")?)?;
    if let Some(other) = call.optional("other") {
        let other = lowering.number(call, other)?;
        return lowering.step(call, Box::new(PairwiseExtremum { largest }), vec![operand, other]);
    }
    over_axes(lowering, call, operand, |axes| Box::new(Extremum { axes, largest }))
}

fn statistic(lowering: &mut Lowering, call: &Call, measure: Measure) -> Result<()> {
    let operand = lowering.operand(call.tensor("self")?)?;
    over_axes(lowering, call, operand, |axes| Box::new(Statistic { axes, measure }))
}

/// Norms of vectors. `linalg_norm` with an order over two axes is a norm of matrices; Frobenius's is the norm of all elements.
fn norm(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let order = call.optional_number("ord").or_else(|| call.optional_number("p"));
    let text = call.text("ord").or(call.text("p"));
    let of_matrices = call.base == "aten::linalg_norm";
    let operand = lowering.operand(call.tensor("self")?)?;
    over_axes(lowering, call, operand, |axes| {
        let measure = match (text, order) {
            (Some("fro") | None, None) => Measure::Norm(2.0),
            (None, Some(order)) if !(of_matrices && axes.len() > 1) => Measure::Norm(order),
            _ => Measure::Other,
        };
        Box::new(Statistic { axes, measure })
    })
}

/// The norms of the differences between each row of one operand and each row of the other.
fn distances(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let order = call
        .optional_number("p")
        .ok_or_else(|| Error::Uncovered("the distance has no order of its norm".into()))?;
    let [a, b] = [("x1", 1), ("x2", 2)].map(|(name, from_end)| {
        let operand = lowering.operand(call.tensor(name)?)?;
        let mut shape = operand.meta.shape.clone();
        shape.insert(shape.len().saturating_sub(from_end), 1);
        lowering.writer.reshape(&operand, &shape)
    });
    let (a, b) = (a?, b?);
    let data = a.data()?.sub(b.data()?)?;
    let axes = vec![data.shape().len() - 1];
    let difference = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
    let difference = lowering.writer.inner(Box::new(difference), vec![a, b], data);
    lowering.step(call, Box::new(Statistic { axes, measure: Measure::Norm(order) }), vec![difference])
}

/// Values picked along an axis; relevance goes back to the places that the indices beside them name.
fn picked(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = call.tensor("self")?;
    let Some(indices) = call.outputs.get(1).and_then(|output| output.slot.tensor.as_ref()) else {
        return Err(Error::Uncovered(
            "without an axis the operator returns no indices, so it has no rule".into(),
        ));
    };
    let indices = indices.shallow_clone();
    let axis = call.ints("dim").and_then(|dim| dim.first().copied()).unwrap_or(-1);
    let keeps = indices.dim() == lowering.meta(operand).shape.len();
    rearrange::lower_by(lowering, call, operand, move |numbers| {
        let indices = if keeps { indices } else { indices.f_unsqueeze(axis)? };
        numbers.f_gather(axis, &indices, false)
    })
}
