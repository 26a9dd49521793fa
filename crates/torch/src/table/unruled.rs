//! Operators without a rule that must not be followed into their parts either, because these would explain something else.

use super::{Entry, Lower};
use dlbacktrace_core::Family;
use dlbacktrace_torch_recorder::Keep;

pub(super) const ENTRIES: &[Entry] = &[Entry::new(
    &["aten::quantized_lstm", "aten::quantized_gru", "aten::fake_quantize_per_tensor_affine"],
    Family::Unruled,
    Keep::Indices,
    Lower::Unruled,
)];
