//! The table of functions, and the list from which it, the exported functions and the header's test are made.

use crate::{Explanation, Model, Outputs, Request, Scalings, Verification};
use crate::{model, request, results, status, types};
use std::ffi::{c_char, c_int, c_void};

/// Rises when a function or a type of a released version changes or disappears. Equals `DLB_ABI_VERSION`.
pub const ABI: u32 = 1;

/// Calls `$use!` with every function that takes a handle, as `fn name(handle: Handle, argument: type, …);`. All return
/// a status.
#[macro_export]
macro_rules! interface {
    ($use:ident) => {
        $use! {
            fn dlb_model_describe(model: *const Model, info: *mut ModelInfo);
            fn dlb_model_argument(model: *const Model, index: usize, argument: *mut Argument);
            fn dlb_model_inspect(model: *const Model, json: *mut *const c_char);
            fn dlb_request_new(model: *const Model, request: *mut *mut Request);

            fn dlb_request_array(request: *mut Request, name: *const c_char, type_: c_int, data: *const c_void,
                shape: *const usize, rank: usize);
            fn dlb_request_share_torch(request: *mut Request, name: *const c_char, tensor: *const c_void);
            fn dlb_request_number(request: *mut Request, name: *const c_char, number: f64);
            fn dlb_request_integer(request: *mut Request, name: *const c_char, integer: i64);
            fn dlb_request_flag(request: *mut Request, name: *const c_char, flag: c_int);
            fn dlb_request_text(request: *mut Request, name: *const c_char, text: *const c_char);
            fn dlb_request_bytes(request: *mut Request, name: *const c_char, data: *const c_void, size: usize);
            fn dlb_request_nothing(request: *mut Request, name: *const c_char);
            fn dlb_request_open(request: *mut Request, name: *const c_char, container: c_int);
            fn dlb_request_close(request: *mut Request);

            fn dlb_request_mode(request: *mut Request, mode: c_int);
            fn dlb_request_task(request: *mut Request, task: c_int, threshold: f64);
            fn dlb_request_target(request: *mut Request, target: c_int, unit: usize);
            fn dlb_request_target_at(request: *mut Request, coordinates: *const i64, count: usize);
            fn dlb_request_sample_axis(request: *mut Request, axis: c_int);
            fn dlb_request_class_axis(request: *mut Request, axis: usize);
            fn dlb_request_output(request: *mut Request, index: usize);
            fn dlb_request_output_named(request: *mut Request, name: *const c_char);
            fn dlb_request_start(request: *mut Request, module: *const c_char, positive: *const f64,
                negative: *const f64, shape: *const usize, rank: usize);
            fn dlb_request_fold_batch_norms(request: *mut Request, fold: c_int);
            fn dlb_request_gates(request: *mut Request, gates: c_int);
            fn dlb_request_gate_of(request: *mut Request, module: *const c_char, gate: *const Gate);
            fn dlb_request_scaler(request: *mut Request, scaler: f64);
            fn dlb_request_multiplier(request: *mut Request, multiplier: f64);
            fn dlb_request_rules(request: *mut Request, rules: *const c_char);
            fn dlb_request_from_logits(request: *mut Request, from_logits: c_int);
            fn dlb_request_all_values(request: *mut Request, all_values: c_int);
            fn dlb_request_modules(request: *mut Request, modules: c_int);
            fn dlb_request_numeric_input(request: *mut Request, name: *const c_char);
            fn dlb_request_constant_input(request: *mut Request, name: *const c_char);
            fn dlb_request_whole_tokens(request: *mut Request, whole: c_int);
            fn dlb_request_allow_unruled(request: *mut Request, allow: c_int);
            fn dlb_request_random_seed(request: *mut Request, seed: u64);
            fn dlb_request_progress(request: *mut Request, progress: Progress, user: *mut c_void);

            fn dlb_request_explain(request: *const Request, explanation: *mut *mut Explanation);
            fn dlb_request_forward(request: *const Request, outputs: *mut *mut Outputs);
            fn dlb_request_scalings(request: *const Request, scalings: *mut *mut Scalings);
            fn dlb_request_verify(request: *const Request, verification: *mut *mut Verification);

            fn dlb_outputs_count(outputs: *const Outputs, count: *mut usize);
            fn dlb_outputs_name(outputs: *const Outputs, index: usize, name: *mut *const c_char);
            fn dlb_outputs_array(outputs: *const Outputs, index: usize, type_: c_int, array: *mut Array);
            fn dlb_outputs_torch(outputs: *const Outputs, index: usize, tensor: *mut *const c_void);

            fn dlb_scalings_count(scalings: *const Scalings, count: *mut usize);
            fn dlb_scalings_get(scalings: *const Scalings, index: usize, scaling: *mut Scaling);

            fn dlb_verification_checks(verification: *const Verification, checks: *mut Checks);
            fn dlb_verification_json(verification: *const Verification, json: *mut *const c_char);

            fn dlb_explanation_summary(explanation: *const Explanation, summary: *mut Summary);
            fn dlb_explanation_warning(explanation: *const Explanation, index: usize, warning: *mut *const c_char);
            fn dlb_explanation_assumed(explanation: *const Explanation, index: usize, assumed: *mut *const c_char);
            fn dlb_explanation_output(explanation: *const Explanation, output: *mut Output);
            fn dlb_explanation_output_array(explanation: *const Explanation, type_: c_int, array: *mut Array);
            fn dlb_explanation_output_torch(explanation: *const Explanation, tensor: *mut *const c_void);
            fn dlb_explanation_input(explanation: *const Explanation, index: usize, input: *mut Input);
            fn dlb_explanation_input_relevance(explanation: *const Explanation, index: usize, channel: c_int,
                type_: c_int, relevance: *mut Array);
            fn dlb_explanation_input_torch(explanation: *const Explanation, index: usize, channel: c_int,
                tensor: *mut *const c_void);
            fn dlb_explanation_value(explanation: *const Explanation, index: usize, value: *mut Value);
            fn dlb_explanation_value_relevance(explanation: *const Explanation, index: usize, channel: c_int,
                type_: c_int, relevance: *mut Array);
            fn dlb_explanation_value_torch(explanation: *const Explanation, index: usize, channel: c_int,
                tensor: *mut *const c_void);
            fn dlb_explanation_entry(explanation: *const Explanation, index: usize, entry: *mut Entry);
            fn dlb_explanation_json(explanation: *const Explanation, json: *mut *const c_char);

            fn dlb_request_versus(request: *mut Request, versus: c_int, unit: usize);
        }
    };
}

macro_rules! table {
    ($(fn $name:ident($($argument:ident: $type:ty),*);)*) => {
        /// The functions of one shared object. `dlbacktrace.h` documents each.
        #[repr(C)]
        #[allow(missing_docs)]
        pub struct Table {
            /// [`ABI`]. If it differs, nothing that follows may be read.
            pub abi: u32,
            pub last_error: extern "C" fn() -> *const c_char,
            pub dlb_model_load: unsafe extern "C" fn(
                path: *const c_char, options: *const types::LoadOptions, model: *mut *mut Model) -> c_int,
            pub dlb_model_share_torch: unsafe extern "C" fn(
                module: *const c_void, model: *mut *mut Model) -> c_int,
            pub dlb_model_free: unsafe extern "C" fn(model: *mut Model),
            pub dlb_request_free: unsafe extern "C" fn(request: *mut Request),
            pub dlb_outputs_free: unsafe extern "C" fn(outputs: *mut Outputs),
            pub dlb_scalings_free: unsafe extern "C" fn(scalings: *mut Scalings),
            pub dlb_verification_free: unsafe extern "C" fn(verification: *mut Verification),
            pub dlb_explanation_free: unsafe extern "C" fn(explanation: *mut Explanation),
            $(pub $name: unsafe extern "C" fn($($argument: $type),*) -> c_int,)*
        }

        /// The functions of this object.
        pub static TABLE: Table = Table {
            abi: ABI,
            last_error: status::last_error,
            dlb_model_load: model::dlb_model_load,
            dlb_model_share_torch: model::dlb_model_share_torch,
            dlb_model_free: model::dlb_model_free,
            dlb_request_free: request::dlb_request_free,
            dlb_outputs_free: results::dlb_outputs_free,
            dlb_scalings_free: results::dlb_scalings_free,
            dlb_verification_free: results::dlb_verification_free,
            dlb_explanation_free: results::dlb_explanation_free,
            $($name: functions::$name,)*
        };
    };
}

use types::{
    Argument, Array, Checks, Entry, Gate, Input, ModelInfo, Output, Progress, Scaling, Summary, Value,
};

/// All functions that take a handle, from the files of their themes.
mod functions {
    pub(super) use crate::model::*;
    pub(super) use crate::options::*;
    pub(super) use crate::request::*;
    pub(super) use crate::results::*;
}

interface!(table);
