//! Sums, products and quotients of elements (rules §2 and §4).

use super::Entry;
use crate::eager::Attributes;
use crate::lowering::{Lowering, input, number_of_graph};
use crate::{Record, Slot, TfTensor};
use dlbacktrace_core::ops::{PairwiseExtremum, Pass, Product, Quotient, Sum, Unruled};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Error, Family, Function, Operand, Result, Tensor};
use std::ffi::CStr;

/// Sums; as parts of norms these are norms, and activations where they number tokens.
const SUMS: &[Kind] = &[Kind::Sum, Kind::Norm, Kind::Activation];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["Add", "AddV2", "AddN", "AccumulateNV2"], Family::WeightedSum, sum)
        .of_kinds(SUMS)
        .adjoins()
        .of_complex(),
    Entry::by_data(&["Sub"], Family::WeightedSum, difference).of_kinds(SUMS).adjoins().of_complex(),
    Entry::by_data(&["SquaredDifference"], Family::WeightedSum, squared_difference),
    Entry::by_data(&["BiasAdd", "BiasAddV1"], Family::WeightedSum, bias).of_kinds(SUMS).adjoins(),
    Entry::by_data(&["Mul", "MulNoNan"], Family::Product, product).adjoins().of_complex(),
    Entry::by_data(&["RealDiv", "Div", "DivNoNan", "Xdivy"], Family::Product, quotient)
        .adjoins()
        .of_complex(),
    Entry::by_shape(
        &[
            "FloorMod",
            "Mod",
            "TruncateMod",
            "FloorDiv",
            "TruncateDiv",
            "BitwiseAnd",
            "BitwiseOr",
            "BitwiseXor",
            "LeftShift",
            "RightShift",
        ],
        Family::Pass,
        |lowering, record| discrete(lowering, record, None),
    ),
    Entry::by_data(&["Xlogy"], Family::Product, |lowering, record| {
        times_logarithm(lowering, record, c"Log", Function::Log)
    }),
    Entry::by_data(&["Xlog1py"], Family::Product, |lowering, record| {
        times_logarithm(lowering, record, c"Log1p", Function::Other)
    }),
    Entry::by_data(&["Maximum"], Family::Winner, |lowering, record| extremum(lowering, record, true))
        .of_kinds(&[Kind::Winner, Kind::Activation]),
    Entry::by_data(&["Minimum"], Family::Winner, |lowering, record| extremum(lowering, record, false))
        .of_kinds(&[Kind::Winner, Kind::Activation]),
    Entry::by_data(&["Pow"], Family::Pass, power),
    Entry::by_data(&["Atan2"], Family::Product, angle),
    Entry::function(&["ClipByValue"], Function::Bounded),
];

/// All inputs, as numbers of the element type that arithmetic ran in.
fn numbers(lowering: &Lowering, record: &Record) -> Result<Vec<Operand<TfTensor>>> {
    record.inputs.iter().map(|slot| lowering.number(record, slot)).collect()
}

fn sum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let factors = vec![1.0; operands.len()];
    let (op, operands) = lowering.writer.weighted(Sum { factors, constant: 0.0 }, operands)?;
    lowering.step(record, op, operands)
}

fn minus() -> Sum {
    Sum { factors: vec![1.0, -1.0], constant: 0.0 }
}

fn difference(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let (op, operands) = lowering.writer.weighted(minus(), operands)?;
    lowering.step(record, op, operands)
}

/// (a − b)²
fn squared_difference(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let shape = lowering.output_shape(record)?;
    let difference = lowering.writer.inner_shape(Box::new(minus()), operands, shape);
    lowering.step(record, Box::new(Pass::function(Function::Power(2.0))), vec![difference])
}

/// One number for each channel, which is the last axis or the second.
fn bias(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (x, mut bias) = (lowering.operand(input(record, 0)?)?, lowering.operand(input(record, 1)?)?);
    let channels_first = record.operation.text("data_format") == Some("NCHW");
    let spatial = x.meta.shape.len().saturating_sub(2);
    if channels_first && spatial > 0 {
        let mut shape = bias.meta.shape.clone();
        shape.resize(1 + spatial, 1);
        bias = lowering.writer.reshape(&bias, &shape)?;
    }
    lowering.step(record, Box::new(Sum::add()), vec![x, bias])
}

fn product(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut operands = numbers(lowering, record)?;
    if let Some((factor, other)) = with_number(lowering, record)? {
        let function = Function::Scale(factor);
        return lowering.step(record, Box::new(Pass::function(function)), vec![operands.swap_remove(other)]);
    }
    let [a, b] = two(operands)?;
    let (op, operands) = lowering.writer.times(a, b)?;
    lowering.step(record, op, operands)
}

fn two(operands: Vec<Operand<TfTensor>>) -> Result<[Operand<TfTensor>; 2]> {
    operands.try_into().map_err(|_| Error::Uncovered("it takes two operands".into()))
}

fn discrete(lowering: &mut Lowering, record: &Record, reason: Option<String>) -> Result<()> {
    lowering.all(record, Box::new(Unruled { reason, discrete: true }))
}

fn quotient(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let output = record.outputs.first().map(|output| lowering.meta(output).dtype);
    if record.operation.operator == "Div" && output.is_some_and(|dtype| !dtype.is_float()) {
        return discrete(
            lowering,
            record,
            Some("a quotient of integers is rounded, and so has no rule".into()),
        );
    }
    let mut operands = numbers(lowering, record)?;
    match with_number(lowering, record)? {
        // A divisor of 0 is left to the kernel that knows what it gives.
        Some((divisor, 0)) if divisor != 0.0 => {
            let function = Function::Scale(1.0 / divisor);
            lowering.step(record, Box::new(Pass::function(function)), vec![operands.swap_remove(0)])
        }
        _ => {
            let [a, b] = two(operands)?;
            let (op, operands) = lowering.writer.divided(a, b)?;
            lowering.step(record, op, operands)
        }
    }
}

/// If one of two operands is a number of the graph: the number, and the index of the other operand.
fn with_number(lowering: &Lowering, record: &Record) -> Result<Option<(f64, usize)>> {
    let (a, b) = (input(record, 0)?, input(record, 1)?);
    match (number_of_graph(lowering, a)?, number_of_graph(lowering, b)?) {
        (None, Some(number)) => Ok(Some((number, 0))),
        (Some(number), None) => Ok(Some((number, 1))),
        _ => Ok(None),
    }
}

/// x · ln y or x · ln(1 + y).
fn times_logarithm(
    lowering: &mut Lowering,
    record: &Record,
    kernel: &CStr,
    function: Function,
) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let [x, y] = operands.as_slice() else { return Err(Error::Uncovered("it takes two factors".into())) };
    let logarithm = computed(lowering, &[kernel], input(record, 1)?)?.cast(x.data()?.dtype())?;
    let logarithm = lowering.writer.pass(Pass::function(function), y, logarithm);
    lowering.step(record, Box::new(Product), vec![x.clone(), logarithm])
}

/// With a number of the graph it is a bound, because TensorFlow writes clamps like this: relevance passes. Between two
/// values the winner takes it.
fn extremum(lowering: &mut Lowering, record: &Record, largest: bool) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let Some((_, other)) = with_number(lowering, record)? else {
        return lowering.step(record, Box::new(PairwiseExtremum { largest }), operands);
    };
    let operand = lowering.unread(input(record, other)?);
    let opposite = if largest { "Minimum" } else { "Maximum" };
    let maker = lowering.writer.tape.steps.iter().rfind(|step| step.outputs.contains(&operand.value));
    let bounded = maker.is_some_and(|step| step.operator == opposite && step.op.family() == Family::Pass);
    // One bound alone keeps a statistic from 0, or its inverse from infinity.
    let function = if bounded { Function::Bounded } else { Function::Magnitude };
    lowering.step(record, Box::new(Pass::function(function)), vec![operand])
}

/// x to a constant power and a constant to the power of x pass; for two values, aᵇ = exp(b · log a).
fn power(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (base, exponent) = (input(record, 0)?, input(record, 1)?);
    let (slot, function) = match number_of_graph(lowering, exponent)? {
        Some(number) => (base, Function::Power(number)),
        None if lowering.is_stored(exponent) => (base, Function::Other),
        None if lowering.is_stored(base) => (exponent, Function::Other),
        None => {
            let (base, exponent) = (lowering.number(record, base)?, lowering.number(record, exponent)?);
            let logarithm = computed(lowering, &[c"Abs", c"Log"], input(record, 0)?)?;
            let logarithm = logarithm.cast(exponent.data()?.dtype())?.bounded()?;
            let logarithm = lowering.writer.pass(Pass::function(Function::Log), &base, logarithm);
            let product = lowering.writer.product(&exponent, &logarithm)?;
            return lowering.step(record, Box::new(Pass::function(Function::Exp)), vec![product]);
        }
    };
    let operand = lowering.unread(slot);
    lowering.step(record, Box::new(Pass::function(function)), vec![operand])
}

/// The angle of a quotient.
fn angle(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = numbers(lowering, record)?;
    let shape = lowering.output_shape(record)?;
    let quotient = lowering.writer.inner_shape(Box::new(Quotient), operands, shape);
    lowering.step(record, Box::new(Pass::function(Function::Bounded)), vec![quotient])
}

/// Applies operators of one operand to a value, one after the other.
pub(super) fn computed(lowering: &Lowering, operators: &[&CStr], slot: &Slot) -> Result<TfTensor> {
    let mut value = slot.tensor.clone();
    for operator in operators {
        let made = lowering.framework.context.execute(operator, &Attributes::default(), &value, 1);
        value = made.map_err(|message| Error::tensor("part of an operator", message))?.pop();
    }
    value.map(TfTensor::from).ok_or_else(|| Error::tensor("part of an operator", "nothing was made"))
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, text, values};
    use crate::proto::Attribute;

    #[test]
    fn terms_share_what_they_are_added_to() {
        for operator in ["Add", "AddV2", "Sub"] {
            Case::new(operator, &[], &[values(&[2, 3]), values(&[3])]).is_a_sum_of(&[0, 1]);
        }
        let several = [values(&[4]), values(&[4]), values(&[4])];
        Case::new("AddN", &[("N", Attribute::Int(3)), ("T", FLOAT)], &several).is_a_sum_of(&[0, 1, 2]);
    }

    #[test]
    fn a_bias_is_added_to_the_channels_of_the_format() {
        for (format, shape) in [("NHWC", [2, 3, 2, 4]), ("NCHW", [2, 4, 3, 2])] {
            let inputs = [values(&shape), values(&[4])];
            Case::new("BiasAdd", &[("data_format", text(format))], &inputs).is_a_sum_of(&[0, 1]);
        }
        Case::new("BiasAddV1", &[], &[values(&[2, 4]), values(&[4])]).is_a_sum_of(&[0, 1]);
    }

    #[test]
    fn of_two_values_the_winner_takes_it() {
        for operator in ["Maximum", "Minimum"] {
            Case::new(operator, &[], &[values(&[2, 5]), values(&[1, 5])]).is_won_by(&[0, 1]);
        }
    }
}
