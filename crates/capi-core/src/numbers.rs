//! The numbers of the header `dlbacktrace.h`, which says what each means.
#![allow(missing_docs)]

use dlbacktrace::core::DType;
use std::ffi::c_int;

macro_rules! numbers {
    ($($name:ident = $number:literal,)*) => {
        $(pub(crate) const $name: c_int = $number;)*

        /// Each with its name in the header.
        pub const NUMBERS: &[(&str, c_int)] = &[$((stringify!($name), $number)),*];
    };
}

numbers! {
    DLB_TYPE_UNKNOWN = -1,
    DLB_TYPE_F32 = 0,
    DLB_TYPE_F64 = 1,
    DLB_TYPE_F16 = 2,
    DLB_TYPE_BF16 = 3,
    DLB_TYPE_I64 = 4,
    DLB_TYPE_I32 = 5,
    DLB_TYPE_U8 = 6,
    DLB_TYPE_BOOL = 7,

    DLB_CONTAINER_LIST = 0,
    DLB_CONTAINER_TUPLE = 1,
    DLB_CONTAINER_DICT = 2,

    DLB_PIXELS_UNKNOWN = 0,
    DLB_PIXELS_UNIT = 1,
    DLB_PIXELS_BYTES = 2,

    DLB_MODE_DEFAULT = 0,
    DLB_MODE_CONTRASTIVE = 1,

    DLB_TASK_CLASSIFICATION = 0,
    DLB_TASK_BOUNDING_BOX = 1,
    DLB_TASK_SEGMENTATION = 2,
    DLB_TASK_NEXT_TOKEN = 3,

    DLB_TARGET_ARGMAX = 0,
    DLB_TARGET_UNIT = 1,
    DLB_TARGET_ALL = 2,
    DLB_TARGET_BOX = 3,
    DLB_TARGET_BOX_OF = 4,

    DLB_VERSUS_NOTHING = 0,
    DLB_VERSUS_UNIT = 1,
    DLB_VERSUS_OTHERS = 2,

    DLB_PHASE_RUN = 0,
    DLB_PHASE_WALK = 1,

    DLB_CHANNEL_POSITIVE = 0,
    DLB_CHANNEL_NEGATIVE = 1,
    DLB_CHANNEL_DIFFERENCE = 2,

    DLB_LOSS_BIAS = 0,
    DLB_LOSS_CONSTANT = 1,
    DLB_LOSS_GATE = 2,
    DLB_LOSS_ZERO_DENOMINATOR = 3,
    DLB_LOSS_MISSING_SIGN = 4,
    DLB_LOSS_PADDING = 5,
    DLB_LOSS_UNEXPLAINED = 6,
    DLB_LOSS_UNRULED = 7,
    DLB_LOSS_DECISION = 8,
    DLB_LOSS_STABILISER = 9,
    DLB_LOSS_CANCELLED = 10,
    DLB_LOSS_REMAINDER = 11,
    DLB_LOSS_CLOSED = 12,
}

/// The number of a floating-point type.
pub(crate) fn precision(dtype: Option<DType>) -> c_int {
    match dtype {
        Some(DType::F32) => DLB_TYPE_F32,
        Some(DType::F64) => DLB_TYPE_F64,
        Some(DType::F16) => DLB_TYPE_F16,
        Some(DType::BF16) => DLB_TYPE_BF16,
        _ => DLB_TYPE_UNKNOWN,
    }
}
