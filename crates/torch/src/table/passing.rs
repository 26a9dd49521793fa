//! Operators that hand relevance on unchanged, and operators that carry none (rules §5).

use super::{Entry, Lower, parts};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::written;
use dlbacktrace_core::ops::{Constant, Decision};
use dlbacktrace_core::{Family, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Keep};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new(
        &[
            "aten::dropout",
            "aten::native_dropout",
            "aten::feature_dropout",
            "aten::alpha_dropout",
            "aten::feature_alpha_dropout",
            "aten::contiguous",
            "aten::clone",
            "aten::to",
            "aten::_to_copy",
            "aten::type_as",
            "aten::alias",
            "aten::alias_copy",
            "aten::lift",
            "aten::lift_fresh",
            "aten::lift_fresh_copy",
            "aten::positive",
            "aten::requires_grad",
        ],
        Family::Pass,
        Keep::Indices,
        Lower::Identity,
    )
    .of_complex(),
    Entry::new(&["aten::detach", "aten::detach_copy"], Family::Pass, Keep::Indices, Lower::Detached)
        .of_complex(),
    Entry::by_shape(&["aten::copy"], Family::Pass, copy).of_complex(),
    Entry::by_result(&["aten::normal"], Family::WeightedSum, normal),
    Entry::by_shape(&["aten::bernoulli"], Family::Decision, bernoulli),
    Entry::constant(&[
        "aten::zeros_like",
        "aten::ones_like",
        "aten::full_like",
        "aten::empty_like",
        "aten::rand_like",
        "aten::randn_like",
        "aten::randint_like",
        "aten::new_zeros",
        "aten::new_ones",
        "aten::new_full",
        "aten::new_empty",
        "aten::new_empty_strided",
        "aten::zero",
        "aten::fill",
        "aten::uniform",
        "aten::_shape_as_tensor",
        "aten::equal",
    ]),
    Entry::decision(
        &[
            "aten::eq",
            "aten::ne",
            "aten::lt",
            "aten::le",
            "aten::gt",
            "aten::ge",
            "aten::isnan",
            "aten::isinf",
            "aten::isposinf",
            "aten::isneginf",
            "aten::isfinite",
            "aten::signbit",
            "aten::logical_and",
            "aten::logical_or",
            "aten::logical_not",
            "aten::logical_xor",
            "aten::bitwise_not",
            "aten::sign",
            "aten::sgn",
            "aten::heaviside",
            "aten::bucketize",
            "aten::searchsorted",
            "aten::poisson",
            "aten::binomial",
        ],
        Decision::Each,
    ),
    Entry::decision(
        &[
            "aten::argmax",
            "aten::argmin",
            "aten::argsort",
            "aten::multinomial",
            "aten::nonzero",
            "aten::any",
            "aten::all",
            "aten::isin",
            "aten::histc",
            "aten::histogram",
            "aten::count_nonzero",
        ],
        Decision::Among,
    ),
];

/// Random numbers around a mean: m + s · ε, where ε is constant. Without a tensor for mean or deviation they carry nothing.
fn normal(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let given = |name| call.optional(name).map(|slot| lowering.operand(slot)).transpose();
    let [mean, deviation] = [given("mean")?, given("std")?];
    if mean.is_none() && deviation.is_none() {
        return lowering.all(call, Box::new(Constant));
    }
    let mut drawn = parts::result(lowering, call)?;
    if let Some(mean) = &mean {
        drawn = drawn.sub(mean.data()?)?;
    }
    if let Some(deviation) = &deviation {
        drawn = drawn.quotient(deviation.data()?)?.0;
    }
    let drawn = drawn.as_tch().shallow_clone();
    written::lower(lowering, call, [], ["mean", "std"], |[], given| match given {
        [Some(mean), Some(deviation)] => deviation.f_mul(&drawn)?.f_add(mean),
        [None, Some(deviation)] => deviation.f_mul(&drawn),
        [Some(mean), None] => mean.f_add(&drawn),
        [None, None] => Ok(drawn.shallow_clone()),
    })
}

/// The probabilities decide the result, if they are numbers that depend on the input.
fn bernoulli(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if call.optional_number("p").is_some() {
        return lowering.all(call, Box::new(Constant));
    }
    let chances = call.optional("p").map_or_else(|| call.tensor("self"), Ok)?;
    let chances = lowering.unread(chances);
    lowering.step(call, Box::new(Decision::Each), vec![chances])
}

/// The value that was written, not the one that it overwrote.
fn copy(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (source, output) = (lowering.unread(call.tensor("src")?), lowering.output_meta(call)?);
    let (op, operands) = lowering.writer.converted(source, &output)?;
    lowering.step(call, op, operands)
}
