//! Linear layers that are quantised while they run (rules, "Quantised while they run"): their weight is packed, in 8 or 16 bits.

use super::Entry;
use super::parts::computed;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{MatMul, Pass};
use dlbacktrace_core::{Error, Family, Result};
use dlbacktrace_torch_recorder::{Call, Slot};
use tch::Kind;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["quantized::linear_dynamic"], Family::WeightedSum, |lowering, call| {
        linear(lowering, call, true)
    }),
    Entry::by_data(&["quantized::linear_dynamic_fp16"], Family::WeightedSum, |lowering, call| {
        linear(lowering, call, false)
    }),
];

/// The layer with its weight in floating point; `rounded` says that its operand is rounded to 8 bits.
fn linear(lowering: &mut Lowering, call: &Call, rounded: bool) -> Result<()> {
    let slots: Vec<Option<&Slot>> = call.tensors("W_prepack")?;
    let [Some(weight), bias] = slots[..] else {
        return Err(Error::Uncovered("the weight of the quantised layer cannot be read".into()));
    };
    let mut x = lowering.operand(call.tensor("X")?)?;
    if rounded {
        let quantised =
            x.data()?.as_tch().f_quantize_per_tensor_dynamic(Kind::QUInt8, call.flag("reduce_range"));
        let data = computed(quantised.and_then(|quantised| quantised.f_dequantize()))?;
        x = lowering.writer.pass(Pass::identity(), &x, data);
    }
    let mut operands = vec![x, lowering.operand(weight)?];
    if let Some(bias) = bias {
        operands.push(lowering.operand(bias)?);
    }
    lowering.step(call, Box::new(MatMul { transposed: true }), operands)
}
