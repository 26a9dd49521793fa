//! The plain types of the header `dlbacktrace.h`, which says what each field means.
#![allow(missing_docs)]

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    pub signature: *const c_char,
    pub tags: *const *const c_char,
    pub tag_count: usize,
    pub tensorflow: *const c_char,
    pub threads: usize,
    pub libraries: *const *const c_char,
    pub library_count: usize,
}

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

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Scaling {
    pub name: *const c_char,
    pub factor: f64,
    pub shift: f64,
    pub pixels: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Scalings {
    pub data: *const Scaling,
    pub size: usize,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    pub lower: f64,
    pub upper: f64,
    pub swish: f64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NumberArray<T> {
    pub data: *const T,
    pub size: usize,
    pub shape: *const usize,
    pub rank: usize,
}

pub type FloatArray = NumberArray<f32>;
pub type DoubleArray = NumberArray<f64>;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub name: *const c_char,
    pub data: *const f64,
    pub size: usize,
    pub shape: *const usize,
    pub rank: usize,
    pub targets: *const usize,
    pub target_count: usize,
    pub sample_axis: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub name: *const c_char,
    pub total: Amount,
    pub precision: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Value {
    pub name: *const c_char,
    pub module: *const c_char,
    pub operator_name: *const c_char,
    pub step: usize,
}

/// The number of reasons in `dlb_loss`.
pub const LOSSES: usize = 9;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub operator_name: *const c_char,
    pub module: *const c_char,
    pub source: *const c_char,
    pub step: usize,
    pub received: Amount,
    pub delivered: Amount,
    pub lost: [Amount; LOSSES],
    pub closes: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub framework: *const c_char,
    pub input_count: usize,
    pub value_count: usize,
    pub entry_count: usize,
    pub warning_count: usize,
    pub assumed_count: usize,
    pub start: Amount,
    pub lost: [Amount; LOSSES],
    pub closes: c_int,
    pub coverage: f64,
    pub load_seconds: f64,
    pub forward_seconds: f64,
    pub relevance_seconds: f64,
}

/// Called after each step of the walk; it must not throw.
pub type Progress = Option<unsafe extern "C" fn(user: *mut c_void, done: usize, total: usize)>;
