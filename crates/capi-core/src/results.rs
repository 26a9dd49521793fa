//! The functions that read a result.

use crate::answer::answer;
use crate::handle::{behind, free};
use crate::types::{Array, Checks, Entry, Input, Output, Scaling, Summary, Value};
use crate::{Explanation, Outputs, Scalings, Verification};
use std::ffi::{c_char, c_int, c_void};

macro_rules! told {
    ($($name:ident($handle:ident: $of:ident $(, $argument:ident: $type:ty)*) -> $place:ty = $read:ident;)*) => {$(
        pub(crate) unsafe extern "C" fn $name(
            $handle: *const $of $(, $argument: $type)*, place: *mut $place) -> c_int {
            // SAFETY: the header asks for a live handle and a place.
            unsafe { answer(place, || behind($handle)?.$read($($argument),*)) }
        }
    )*};
}

told! {
    dlb_explanation_summary(explanation: Explanation) -> Summary = summary;
    dlb_explanation_warning(explanation: Explanation, index: usize) -> *const c_char = warning;
    dlb_explanation_assumed(explanation: Explanation, index: usize) -> *const c_char = assumed;
    dlb_explanation_output(explanation: Explanation) -> Output = output;
    dlb_explanation_output_array(explanation: Explanation, element: c_int) -> Array = output_array;
    dlb_explanation_output_torch(explanation: Explanation) -> *const c_void = output_torch;
    dlb_explanation_input(explanation: Explanation, index: usize) -> Input = input;
    dlb_explanation_input_relevance(explanation: Explanation, index: usize, channel: c_int, element: c_int) -> Array = input_relevance;
    dlb_explanation_input_torch(explanation: Explanation, index: usize, channel: c_int) -> *const c_void = input_torch;
    dlb_explanation_value(explanation: Explanation, index: usize) -> Value = value;
    dlb_explanation_value_relevance(explanation: Explanation, index: usize, channel: c_int, element: c_int) -> Array = value_relevance;
    dlb_explanation_value_torch(explanation: Explanation, index: usize, channel: c_int) -> *const c_void = value_torch;
    dlb_explanation_entry(explanation: Explanation, index: usize) -> Entry = entry;
    dlb_explanation_json(explanation: Explanation) -> *const c_char = json;

    dlb_outputs_count(outputs: Outputs) -> usize = count;
    dlb_outputs_name(outputs: Outputs, index: usize) -> *const c_char = name;
    dlb_outputs_array(outputs: Outputs, index: usize, element: c_int) -> Array = array;
    dlb_outputs_torch(outputs: Outputs, index: usize) -> *const c_void = torch;

    dlb_scalings_count(scalings: Scalings) -> usize = count;
    dlb_scalings_get(scalings: Scalings, index: usize) -> Scaling = get;

    dlb_verification_checks(verification: Verification) -> Checks = checks;
    dlb_verification_json(verification: Verification) -> *const c_char = json;
}

macro_rules! freed {
    ($($name:ident: $type:ident;)*) => {$(
        pub(crate) unsafe extern "C" fn $name(handle: *mut $type) {
            // SAFETY: the header asks for null or a handle that was not freed.
            unsafe { free(handle) };
        }
    )*};
}

freed! {
    dlb_explanation_free: Explanation;
    dlb_outputs_free: Outputs;
    dlb_scalings_free: Scalings;
    dlb_verification_free: Verification;
}
