//! The numbers of the header `dlbacktrace.h`, which says what each means.
#![allow(missing_docs)]

use std::ffi::c_int;

macro_rules! numbers {
    ($($name:ident = $number:literal,)*) => {
        $(pub(crate) const $name: c_int = $number;)*

        /// Each with its name in the header.
        pub const NUMBERS: &[(&str, c_int)] = &[$((stringify!($name), $number)),*];
    };
}

numbers! {
    DLB_F32 = 0,
    DLB_F64 = 1,
    DLB_F16 = 2,
    DLB_BF16 = 3,
    DLB_I64 = 4,
    DLB_I32 = 5,
    DLB_U8 = 6,
    DLB_BOOL = 7,

    DLB_LIST = 0,
    DLB_TUPLE = 1,
    DLB_DICT = 2,

    DLB_PIXELS_UNKNOWN = 0,
    DLB_PIXELS_UNIT = 1,
    DLB_PIXELS_BYTES = 2,

    DLB_DEFAULT = 0,
    DLB_CONTRASTIVE = 1,

    DLB_CLASSIFICATION = 0,
    DLB_BOUNDING_BOX = 1,
    DLB_SEGMENTATION = 2,
    DLB_NEXT_TOKEN = 3,

    DLB_ARGMAX = 0,
    DLB_UNIT = 1,
    DLB_ALL = 2,
    DLB_BOX = 3,
    DLB_BOX_OF = 4,

    DLB_POSITIVE = 0,
    DLB_NEGATIVE = 1,

    DLB_LOSS_BIAS = 0,
    DLB_LOSS_CONSTANT = 1,
    DLB_LOSS_GATE = 2,
    DLB_LOSS_ZERO_DENOMINATOR = 3,
    DLB_LOSS_MISSING_SIGN = 4,
    DLB_LOSS_PADDING = 5,
    DLB_LOSS_UNEXPLAINED = 6,
    DLB_LOSS_UNRULED = 7,
    DLB_LOSS_DECISION = 8,
}
