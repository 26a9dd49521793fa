//! Sums, products and quotients of elements (rules §2 and §4).

use super::Entry;
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::written;
use dlbacktrace_core::ops::{LogAddExp, PairwiseExtremum, Pass, Product, Quotient, Sum, Unruled};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{BOUND, BacktraceOp, Error, Family, Function, Operand, Result, Tensor};
use dlbacktrace_torch_recorder::Call;
use std::f64::consts::LN_2;
use tch::TchError;

/// Sums; as parts of norms these are norms, and activations where they number tokens.
const SUMS: &[Kind] = &[Kind::Sum, Kind::Norm, Kind::Activation];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::add"], Family::WeightedSum, |lowering, call| {
        sum(lowering, call, |alpha| [1.0, alpha])
    })
    .of_kinds(SUMS)
    .adjoins()
    .of_complex(),
    Entry::by_data(&["aten::sub", "aten::subtract"], Family::WeightedSum, |lowering, call| {
        sum(lowering, call, |alpha| [1.0, -alpha])
    })
    .of_kinds(SUMS)
    .adjoins()
    .of_complex(),
    Entry::by_data(&["aten::rsub"], Family::WeightedSum, |lowering, call| {
        sum(lowering, call, |alpha| [-alpha, 1.0])
    })
    .of_kinds(SUMS)
    .adjoins()
    .of_complex(),
    Entry::by_data(&["aten::mul", "aten::multiply"], Family::Product, product).adjoins().of_complex(),
    Entry::by_data(&["aten::div", "aten::divide", "aten::true_divide"], Family::Product, quotient)
        .adjoins()
        .of_complex(),
    Entry::by_data(&["aten::addcmul"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, Box::new(Product), Tensor::mul)
    }),
    Entry::by_data(&["aten::addcdiv"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, Box::new(Quotient), |a, b| Ok(a.quotient(b)?.0))
    }),
    Entry::by_data(&["aten::lerp"], Family::WeightedSum, lerp),
    Entry::by_shape(
        &[
            "aten::remainder",
            "aten::fmod",
            "aten::floor_divide",
            "aten::bitwise_and",
            "aten::bitwise_or",
            "aten::bitwise_xor",
            "aten::bitwise_left_shift",
            "aten::bitwise_right_shift",
            "aten::__and__",
            "aten::__or__",
            "aten::__xor__",
            "aten::__lshift__",
            "aten::__rshift__",
        ],
        Family::Pass,
        |lowering, call| discrete(lowering, call, None),
    ),
    Entry::by_data(&["aten::logaddexp"], Family::WeightedSum, |lowering, call| {
        let operands = pair(lowering, call)?.into_iter().map(|(_, operand)| operand).collect();
        lowering.step(call, Box::new(LogAddExp), operands)
    }),
    Entry::by_data(&["aten::logaddexp2"], Family::WeightedSum, |lowering, call| {
        written::lower(lowering, call, ["self", "other"], [], |[a, b], []| {
            a.f_mul_scalar(LN_2)?.f_logaddexp(&b.f_mul_scalar(LN_2)?)?.f_div_scalar(LN_2)
        })
    }),
    Entry::by_data(&["aten::atan2"], Family::Product, |lowering, call| {
        written::lower(lowering, call, ["self", "other"], [], |[a, b], []| a.f_div(b)?.f_atan())
    }),
    Entry::by_data(&["aten::hypot"], Family::WeightedSum, |lowering, call| {
        written::lower(lowering, call, ["self", "other"], [], |[a, b], []| {
            a.f_square()?.f_add(&b.f_square()?)?.f_sqrt()
        })
    }),
    Entry::by_data(&["aten::xlogy", "aten::special_xlogy"], Family::Product, |lowering, call| {
        times_logarithm(lowering, call, tch::Tensor::f_log)
    }),
    Entry::by_data(&["aten::special_xlog1py"], Family::Product, |lowering, call| {
        times_logarithm(lowering, call, tch::Tensor::f_log1p)
    }),
    Entry::by_data(&["aten::special_entr"], Family::Product, |lowering, call| {
        written::lower(lowering, call, ["self"], [], |[x], []| x.f_mul(&lowest(x.f_log())?)?.f_neg())
    }),
    Entry::by_data(&["aten::linalg_cross"], Family::WeightedSum, |lowering, call| {
        let axis = call.int("dim")?;
        written::lower(lowering, call, ["self", "other"], [], |[a, b], []| {
            let after = |x: &tch::Tensor, places: i64| x.f_roll(-places, axis);
            after(a, 1)?.f_mul(&after(b, 2)?)?.f_sub(&after(a, 2)?.f_mul(&after(b, 1)?)?)
        })
    }),
    Entry::by_data(&["aten::maximum", "aten::fmax"], Family::Winner, |lowering, call| {
        extremum(lowering, call, true)
    })
    .of_kinds(&[Kind::Winner, Kind::Activation]),
    Entry::by_data(&["aten::minimum", "aten::fmin"], Family::Winner, |lowering, call| {
        extremum(lowering, call, false)
    })
    .of_kinds(&[Kind::Winner, Kind::Activation]),
];

/// x · log y; either may be a number.
fn times_logarithm(
    lowering: &mut Lowering,
    call: &Call,
    logarithm: fn(&tch::Tensor) -> std::result::Result<tch::Tensor, TchError>,
) -> Result<()> {
    written::lower(lowering, call, [], ["self", "other"], |[], [x, y]| {
        let number = |name| tch::Tensor::from(call.optional_number(name).unwrap_or(0.0));
        match (x, y) {
            (Some(x), Some(y)) => x.f_mul(&lowest(logarithm(y))?),
            (None, Some(y)) => lowest(logarithm(y))?.f_mul(&number("self")),
            (Some(x), None) => x.f_mul(&lowest(logarithm(&number("other")))?),
            (None, None) => Ok(number("self")),
        }
    })
}

/// A logarithm that is finite at 0, for 0 · log 0 = 0.
fn lowest(
    logarithm: std::result::Result<tch::Tensor, TchError>,
) -> std::result::Result<tch::Tensor, TchError> {
    logarithm?.f_clamp_min(-BOUND)
}

/// On integers it makes other integers. A number rounded by a constant, or its remainder, passes, as floor does.
fn discrete(lowering: &mut Lowering, call: &Call, reason: Option<String>) -> Result<()> {
    let constant = call
        .optional("other")
        .map_or_else(|| call.optional_number("other").is_some(), |other| lowering.is_stored(other));
    if let Some(number) =
        call.optional("self").filter(|slot| constant && lowering.meta(slot).dtype.is_float())
    {
        let operand = lowering.unread(number);
        return lowering.step(call, Box::new(Pass::function(Function::Other)), vec![operand]);
    }
    let operands = ["self", "other"].into_iter().filter_map(|name| call.optional(name));
    let operands = operands.map(|slot| lowering.unread(slot)).collect();
    lowering.step(call, Box::new(Unruled { reason, discrete: true }), operands)
}

/// The tensor operands among `self` and `other`, with their places; a number is left out.
fn pair(lowering: &Lowering, call: &Call) -> Result<Vec<(usize, Operand<TorchTensor>)>> {
    ["self", "other"]
        .into_iter()
        .enumerate()
        .filter_map(|(place, name)| Some((place, call.optional(name)?)))
        .map(|(place, slot)| Ok((place, lowering.number(call, slot)?)))
        .collect()
}

fn sum(lowering: &mut Lowering, call: &Call, factors: fn(f64) -> [f64; 2]) -> Result<()> {
    let factors = factors(call.optional_number("alpha").unwrap_or(1.0));
    let operands = pair(lowering, call)?;
    let constant = match call.optional_number("other") {
        Some(other) => other * factors[1],
        None if operands.len() == 2 => 0.0,
        None => return Err(no_number()),
    };
    let factors = operands.iter().map(|(place, _)| factors[*place]).collect();
    let operands = operands.into_iter().map(|(_, operand)| operand).collect();
    let (op, operands) = lowering.writer.weighted(Sum { factors, constant }, operands)?;
    lowering.step(call, op, operands)
}

fn product(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let factors: Vec<_> = pair(lowering, call)?.into_iter().map(|(_, operand)| operand).collect();
    if let Some(factor) = call.optional_number("other") {
        return lowering.step(call, Box::new(Pass::function(Function::Scale(factor))), factors);
    }
    let [a, b] = two(factors)?;
    let (op, operands) = lowering.writer.times(a, b)?;
    lowering.step(call, op, operands)
}

/// The operands of an operator of two tensors.
fn two(operands: Vec<Operand<TorchTensor>>) -> Result<[Operand<TorchTensor>; 2]> {
    operands.try_into().map_err(|_| no_number())
}

fn no_number() -> Error {
    Error::Uncovered("an operand that is neither a tensor nor a real number, such as 1j, has no rule".into())
}

fn quotient(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if let Some(rounding) = call.text("rounding_mode") {
        let reason = format!("division rounded by {rounding} has no rule for numbers");
        return discrete(lowering, call, Some(reason));
    }
    let operands: Vec<_> = pair(lowering, call)?.into_iter().map(|(_, operand)| operand).collect();
    if let Some(divisor) = call.optional_number("other") {
        return lowering.step(call, Box::new(Pass::function(Function::Scale(1.0 / divisor))), operands);
    }
    let [a, b] = two(operands)?;
    let (op, operands) = lowering.writer.divided(a, b)?;
    lowering.step(call, op, operands)
}

/// self + value · (tensor1 ∘ tensor2)
fn added(
    lowering: &mut Lowering,
    call: &Call,
    combine: Box<dyn BacktraceOp<TorchTensor>>,
    compute: fn(&TorchTensor, &TorchTensor) -> Result<TorchTensor>,
) -> Result<()> {
    let base = lowering.number(call, call.tensor("self")?)?;
    let a = lowering.number(call, call.tensor("tensor1")?)?;
    let b = lowering.number(call, call.tensor("tensor2")?)?;
    let data = compute(a.data()?, b.data()?)?;
    let combined = lowering.writer.inner(combine, vec![a, b], data);
    let factors = vec![1.0, call.optional_number("value").unwrap_or(1.0)];
    lowering.step(call, Box::new(Sum { factors, constant: 0.0 }), vec![base, combined])
}

/// self + weight · (end − self), written as the blend (1 − w)·self + w·end.
fn lerp(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let start = lowering.number(call, call.tensor("self")?)?;
    let end = lowering.number(call, call.tensor("end")?)?;
    if let Some(weight) = call.optional_number("weight") {
        let blend = Sum { factors: vec![1.0 - weight, weight], constant: 0.0 };
        return lowering.step(call, Box::new(blend), vec![start, end]);
    }
    let weight = lowering.number(call, call.tensor("weight")?)?;
    let rest = Sum { factors: vec![-1.0], constant: 1.0 };
    let data = weight.data()?.complement()?;
    let rest = lowering.writer.inner(Box::new(rest), vec![weight.clone()], data);
    let parts = vec![lowering.writer.product(&rest, &start)?, lowering.writer.product(&weight, &end)?];
    lowering.step(call, Box::new(Sum::add()), parts)
}

fn extremum(lowering: &mut Lowering, call: &Call, largest: bool) -> Result<()> {
    let operands = pair(lowering, call)?.into_iter().map(|(_, operand)| operand).collect();
    lowering.step(call, Box::new(PairwiseExtremum { largest }), operands)
}
