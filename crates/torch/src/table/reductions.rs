//! Reductions along axes (rules §2, §3, §9).

use super::Entry;
use super::parts::Operand;
use crate::TorchTensor;
use crate::arguments::{Arguments, axes, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{CumulativeSum, Extremum, Measure, PairwiseExtremum, Reduce, Statistic};
use dlbacktrace_core::{BacktraceOp, Error, Family, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(
        &["aten::sum", "aten::mean", "aten::nansum", "aten::nanmean"],
        Family::WeightedSum,
        reduce,
    ),
    Entry::by_data(&["aten::cumsum"], Family::WeightedSum, cumulative),
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

/// An operand reduced over the axes that the call names; over all if it names none.
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

/// Of vectors; `linalg_norm` with an order over two axes is a norm of matrices, of which Frobenius's is that of all
/// elements.
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

/// Values picked along an axis: they scatter back to where the indices beside them say.
fn picked(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = call.tensor("self")?;
    let Some(indices) = call.outputs.get(1).and_then(|output| output.slot.tensor.as_ref()) else {
        return Err(Error::Shape("without an axis there are no indices to go by, so it has no rule".into()));
    };
    let indices = indices.shallow_clone();
    let axis = call.ints("dim").and_then(|dim| dim.first().copied()).unwrap_or(-1);
    let keeps = indices.dim() == lowering.meta(operand).shape.len();
    rearrange::lower_by(lowering, call, operand, move |numbers| {
        let indices = if keeps { indices } else { indices.f_unsqueeze(axis)? };
        numbers.f_gather(axis, &indices, false)
    })
}
