//! Functions of each element (rules §5).

use super::{Entry, parts};
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Decision, Pass, Product};
use dlbacktrace_core::{Family, Function, Result, Tensor, Unary};
use dlbacktrace_torch_recorder::Call;
use std::f64::consts::PI;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::gating(&["aten::tanh"], Function::Tanh),
    Entry::gating(&["aten::sigmoid", "aten::special_expit"], Function::Sigmoid),
    Entry::function(
        &["aten::softmax", "aten::_softmax", "aten::_safe_softmax", "aten::special_softmax"],
        Function::Softmax,
    ),
    Entry::gating(&["aten::silu"], Function::Swish { beta: 1.0 }),
    Entry::function(
        &[
            "aten::erf",
            "aten::special_erf",
            "aten::erfc",
            "aten::hardsigmoid",
            "aten::hardtanh",
            "aten::relu6",
            "aten::atan",
            "aten::softsign",
        ],
        Function::Bounded,
    ),
    Entry::function(&["aten::relu"], Function::Rectifier),
    Entry::function(&["aten::exp"], Function::Exp),
    Entry::function(&["aten::log"], Function::Log),
    Entry::function(&["aten::sqrt"], Function::Power(0.5)),
    Entry::function(&["aten::rsqrt"], Function::Power(-0.5)),
    Entry::function(&["aten::reciprocal"], Function::Power(-1.0)),
    Entry::function(&["aten::square"], Function::Power(2.0)),
    Entry::function(&["aten::neg", "aten::negative"], Function::Scale(-1.0)).of_complex(),
    Entry::function(&["aten::deg2rad"], Function::Scale(PI / 180.0)),
    Entry::function(&["aten::rad2deg"], Function::Scale(180.0 / PI)),
    Entry::function(&["aten::clamp_min"], Function::Magnitude),
    // The functions of complex numbers read their operands.
    Entry::by_data(&["aten::abs", "aten::absolute"], Family::Pass, magnitude).of_complex(),
    Entry::by_data(&["aten::angle"], Family::Decision, angle).of_complex(),
    Entry::function(
        &[
            "aten::leaky_relu",
            "aten::prelu",
            "aten::_prelu_kernel",
            "aten::rrelu",
            "aten::rrelu_with_noise",
            "aten::elu",
            "aten::selu",
            "aten::celu",
            "aten::gelu",
            "aten::mish",
            "aten::hardswish",
            "aten::softplus",
            "aten::log_sigmoid",
            "aten::log_sigmoid_forward",
            "aten::threshold",
            "aten::hardshrink",
            "aten::softshrink",
            "aten::log_softmax",
            "aten::_log_softmax",
            "aten::expm1",
            "aten::exp2",
            "aten::log1p",
            "aten::log2",
            "aten::log10",
            "aten::logit",
            "aten::sin",
            "aten::cos",
            "aten::tan",
            "aten::asin",
            "aten::acos",
            "aten::sinh",
            "aten::cosh",
            "aten::asinh",
            "aten::acosh",
            "aten::atanh",
            "aten::erfinv",
            "aten::lgamma",
            "aten::digamma",
            "aten::polygamma",
            "aten::mvlgamma",
            "aten::i0",
            "aten::special_i0e",
            "aten::special_i1",
            "aten::special_i1e",
            "aten::special_ndtri",
            "aten::special_log_ndtr",
            "aten::special_erfcx",
            "aten::special_bessel_j0",
            "aten::special_bessel_j1",
            "aten::sinc",
            "aten::floor",
            "aten::ceil",
            "aten::round",
            "aten::trunc",
            "aten::frac",
            "aten::nan_to_num",
            "aten::clamp_max",
        ],
        Function::Other,
    ),
    Entry::by_shape(&["aten::clamp", "aten::clip"], Family::Pass, clamp),
    Entry::by_data(&["aten::pow", "aten::float_power"], Family::Pass, power),
    Entry::by_data(&["aten::glu"], Family::Product, glu),
];

/// |x|; for a complex number its length.
fn magnitude(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = call.tensor("self")?;
    if !lowering.meta(x).complex {
        return lowering.pass(call, Pass::function(Function::Magnitude));
    }
    let x = lowering.operand(x)?;
    let (op, operands) = lowering.writer.magnitude(&x)?;
    lowering.step(call, op, operands)
}

/// For a real number, its sign decides the angle.
fn angle(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.operand(call.tensor("self")?)?;
    if !x.meta.complex {
        return lowering.step(call, Box::new(Decision::Each), vec![x]);
    }
    let (op, operands) = lowering.writer.angle(&x)?;
    lowering.step(call, op, operands)
}

/// Only a clamp on both sides is bounded; a lower bound alone keeps a statistic away from 0.
fn clamp(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let given = |name| call.optional_number(name).is_some() || call.optional(name).is_some();
    let function = match (given("min"), given("max")) {
        (true, true) => Function::Bounded,
        (true, false) => Function::Magnitude,
        _ => Function::Other,
    };
    let operand = lowering.unread(call.tensor("self")?);
    lowering.step(call, Box::new(Pass::function(function)), vec![operand])
}

/// x to a constant power and a constant to the power of x pass; for two values aᵇ = exp(b · log a).
fn power(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (base, exponent) = (call.optional("self"), call.optional("exponent"));
    let (operand, function) = match (base, exponent) {
        (Some(base), None) => {
            (base, call.optional_number("exponent").map_or(Function::Other, Function::Power))
        }
        (Some(base), Some(exponent)) if lowering.is_stored(exponent) => (base, Function::Other),
        (Some(base), Some(exponent)) if !lowering.is_stored(base) => {
            let (base, exponent) = (lowering.number(call, base)?, lowering.number(call, exponent)?);
            let logarithm = base.data()?.as_tch().f_abs().and_then(|size| size.f_log());
            let logarithm = parts::computed(logarithm)?.bounded()?;
            let logarithm = lowering.writer.pass(Pass::function(Function::Log), &base, logarithm);
            let product = lowering.writer.product(&exponent, &logarithm)?;
            return lowering.step(call, Box::new(Pass::function(Function::Exp)), vec![product]);
        }
        _ => (call.tensor("exponent")?, Function::Other),
    };
    let operand = lowering.unread(operand);
    lowering.step(call, Box::new(Pass::function(function)), vec![operand])
}

/// The first half times the sigmoid of the second.
fn glu(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let whole = lowering.operand(call.tensor("self")?)?;
    let axis = axis(call.int("dim")?, whole.meta.shape.len())?;
    let half = whole.meta.shape.get(axis).map_or(0, |extent| extent / 2);
    let value = lowering.writer.narrow(&whole, axis, 0, half)?;
    let gate = lowering.writer.narrow(&whole, axis, half, half)?;
    let open = gate.data()?.unary(Unary::Sigmoid)?;
    let gate = lowering.writer.pass(Pass::function(Function::Sigmoid), &gate, open);
    lowering.step(call, Box::new(Product), vec![value, gate])
}
