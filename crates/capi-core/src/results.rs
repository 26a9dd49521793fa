//! The results of an explanation, for C.

use crate::explanation::Explanation;
use crate::handle::{behind, free, write};
use crate::status::guarded;
use crate::types::{DoubleArray, Entry, FloatArray, Input, Output, Summary, Value};
use dlbacktrace::Result;
use std::ffi::{c_char, c_int, c_void};

pub(crate) unsafe extern "C" fn dlb_explanation_free(explanation: *mut Explanation) {
    // SAFETY: the header asks for null or an explanation that was not freed.
    unsafe { free(explanation) };
}

/// Writes what `read` returns for an explanation.
///
/// # Safety
/// `explanation` is null or a live one; `place` is null or valid for a write.
unsafe fn tell<T>(
    explanation: *const Explanation,
    place: *mut T,
    read: impl FnOnce(&Explanation) -> Result<T>,
) -> c_int {
    // SAFETY: the caller guarantees both.
    guarded(|| unsafe { write(place, read(behind(explanation)?)?) })
}

macro_rules! told {
    ($($name:ident($($argument:ident: $type:ty),*) -> $place:ty = $read:expr;)*) => {$(
        pub(crate) unsafe extern "C" fn $name(
            explanation: *const Explanation $(, $argument: $type)*, place: *mut $place) -> c_int {
            let read = $read;
            // SAFETY: the header asks for an explanation and a place.
            unsafe { tell(explanation, place, |explanation| read(explanation $(, $argument)*)) }
        }
    )*};
}

told! {
    dlb_explanation_summary() -> Summary = |explanation: &Explanation| Ok(explanation.summary());
    dlb_explanation_output() -> Output = |explanation: &Explanation| Ok(explanation.output());
    dlb_explanation_warning(index: usize) -> *const c_char = Explanation::warning;
    dlb_explanation_assumed(index: usize) -> *const c_char = Explanation::assumed;
    dlb_explanation_input(index: usize) -> Input = Explanation::input;
    dlb_explanation_input_relevance(index: usize, channel: c_int) -> FloatArray = Explanation::input_relevance;
    dlb_explanation_input_relevance_f64(index: usize, channel: c_int) -> DoubleArray = Explanation::input_relevance_f64;
    dlb_explanation_input_torch(index: usize, channel: c_int) -> *const c_void = Explanation::input_torch;
    dlb_explanation_value(index: usize) -> Value = Explanation::value;
    dlb_explanation_value_relevance(index: usize, channel: c_int) -> FloatArray = Explanation::value_relevance;
    dlb_explanation_value_relevance_f64(index: usize, channel: c_int) -> DoubleArray = Explanation::value_relevance_f64;
    dlb_explanation_entry(index: usize) -> Entry = Explanation::entry;
    dlb_explanation_json() -> *const c_char = Explanation::json;
}
