//! Norms (rules §5, §10).

use super::{Entry, Lower};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Norm, Pass, Statistics};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{DType, Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Keep};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new(
        &[
            "aten::batch_norm",
            "aten::native_batch_norm",
            "aten::_native_batch_norm_legit",
            "aten::_native_batch_norm_legit_no_training",
            "aten::cudnn_batch_norm",
            "aten::layer_norm",
            "aten::native_layer_norm",
            "aten::group_norm",
            "aten::native_group_norm",
            "aten::instance_norm",
            "aten::rms_norm",
            "aten::_fused_rms_norm",
        ],
        Family::Pass,
        Keep::Rest,
        Lower::By(norm),
    )
    .of_kinds(&[Kind::Norm])
    .norms(),
    // Rows that are longer than a limit are shortened.
    Entry::function(&["aten::renorm"], Function::Other),
];

/// A norm with its parameters, of which only rules other than those of DLBacktrace read x.
fn norm(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.known(call.tensor("input")?)?;
    let shape = x.meta.shape.clone();
    let rank = shape.len();
    let ints = |name: &str| call.ints(name).unwrap_or_default().len();
    let trailing = |axes: usize| (rank - axes.min(rank)..rank).collect();
    let spatial: Vec<usize> = (2..rank).collect();
    let whole = |axes: Vec<usize>| Statistics::Own { view: shape.clone(), axes, centred: true };
    let by_feature = call.base.contains("layer_norm") || call.base.contains("rms_norm");
    let statistics = match call.base.trim_start_matches("aten::") {
        "layer_norm" | "native_layer_norm" => whole(trailing(ints("normalized_shape"))),
        "rms_norm" | "_fused_rms_norm" => {
            Statistics::Own { view: shape.clone(), axes: trailing(ints("normalized_shape")), centred: false }
        }
        "group_norm" | "native_group_norm" => {
            let groups = call.int("num_groups").or_else(|_| call.int("group"))?.max(1) as usize;
            let [samples, channels, rest @ ..] = shape.as_slice() else {
                return lowering.pass(call, Pass::norm());
            };
            let view = [&[*samples, groups, channels / groups], rest].concat();
            Statistics::Own { axes: (2..view.len()).collect(), view, centred: true }
        }
        "instance_norm" if call.flag("use_input_stats") => whole(spatial),
        name if name.contains("batch_norm") && (call.flag("training") || call.flag("train")) => {
            whole([vec![0], spatial].concat())
        }
        _ => Statistics::Given,
    };
    let mut operands = vec![x];
    let channels = |lowering: &Lowering, name: &str| {
        let Some(slot) = call.optional(name) else { return Ok(None) };
        let operand = lowering.operand(slot)?;
        if by_feature {
            return Ok(Some(operand));
        }
        let view = [&[1], operand.meta.shape.as_slice(), &vec![1; rank.saturating_sub(2)]].concat();
        let data = operand.data()?.reshape(&view)?;
        Ok(Some(operand.holding(data)))
    };
    let (scale, shift) = (channels(lowering, "weight")?, channels(lowering, "bias")?);
    let (scaled, shifted) = (scale.is_some(), shift.is_some());
    operands.extend(scale.into_iter().chain(shift));
    if statistics == Statistics::Given {
        for name in ["running_mean", "running_var"] {
            operands.extend(channels(lowering, name)?);
        }
    }
    // The smallest step of the type, if a root mean square names none.
    let default = if operands[0].meta.dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let epsilon = call.optional_number("eps").or_else(|| call.optional_number("epsilon")).unwrap_or(default);
    lowering.step(call, Box::new(Norm { statistics, epsilon, scaled, shifted }), operands)
}
