//! The plain types of the header `dlbacktrace.h`, which says what each field means.
#![allow(missing_docs)]

use crate::answer::Growing;
use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Amount {
    pub positive: f64,
    pub negative: f64,
}

impl From<dlbacktrace::Amount> for Amount {
    fn from(amount: dlbacktrace::Amount) -> Self {
        Self { positive: amount.positive, negative: amount.negative }
    }
}

/// Structs that begin with their size in the program; the others of their fields follow.
macro_rules! growing {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[repr(C)]
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            pub struct_size: usize,
            $(pub $field: $type,)*
        }

        // SAFETY: it begins with its size, and consists of numbers and pointers.
        unsafe impl Growing for $name {}
    )*};
}

growing! {
    LoadOptions {
        signature: *const c_char,
        tags: *const *const c_char,
        tag_count: usize,
        tensorflow: *const c_char,
        threads: usize,
        libraries: *const *const c_char,
        library_count: usize,
    }
    ModelInfo {
        framework: *const c_char,
        argument_count: usize,
        ordered: c_int,
        precision: c_int,
    }
    Argument {
        name: *const c_char,
        kind: *const c_char,
        optional: c_int,
    }
    Gate {
        lower: f64,
        upper: f64,
        swish: f64,
    }
    Array {
        data: *const c_void,
        size: usize,
        shape: *const usize,
        rank: usize,
        r#type: c_int,
    }
    Scaling {
        name: *const c_char,
        factor: f64,
        shift: f64,
        pixels: c_int,
    }
    Checks {
        holds: c_int,
        closes: c_int,
        repeats: c_int,
        replayed: usize,
        failed: usize,
        skipped: usize,
        coverage: f64,
    }
    Summary {
        framework: *const c_char,
        input_count: usize,
        value_count: usize,
        entry_count: usize,
        warning_count: usize,
        assumed_count: usize,
        start: Amount,
        lost: *const Amount,
        lost_count: usize,
        closes: c_int,
        coverage: f64,
        load_seconds: f64,
        forward_seconds: f64,
        relevance_seconds: f64,
    }
    Output {
        name: *const c_char,
        targets: *const usize,
        target_count: usize,
        sample_axis: c_int,
    }
    Input {
        name: *const c_char,
        total: Amount,
        precision: c_int,
    }
    Value {
        name: *const c_char,
        module: *const c_char,
        operator_name: *const c_char,
        step: usize,
        precision: c_int,
    }
    Entry {
        operator_name: *const c_char,
        module: *const c_char,
        source: *const c_char,
        step: usize,
        received: Amount,
        delivered: Amount,
        lost: *const Amount,
        lost_count: usize,
        closes: c_int,
    }
}

/// Is told the progress; stops the explanation if it does not return 0. It must not throw.
pub type Progress =
    Option<unsafe extern "C" fn(user: *mut c_void, phase: c_int, done: usize, total: usize) -> c_int>;
