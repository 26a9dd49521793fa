//! What hands relevance on unchanged, and what carries none (rules §5).

use super::{Entry, Lower};
use crate::Keep;
use dlbacktrace_core::Family;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        names: &["StopGradient", "PreventGradient", "Cast", "CheckNumerics", "Snapshot"],
        family: Family::Pass,
        keep: Keep::Indices,
        lower: Lower::Identity,
    },
    Entry {
        names: &[
            "Shape",
            "ShapeN",
            "Size",
            "Rank",
            "Range",
            "Fill",
            "ZerosLike",
            "OnesLike",
            "ArgMax",
            "ArgMin",
            "Equal",
            "NotEqual",
            "Less",
            "LessEqual",
            "Greater",
            "GreaterEqual",
            "IsNan",
            "IsInf",
            "IsFinite",
            "LogicalAnd",
            "LogicalOr",
            "LogicalNot",
            "Sign",
            "OneHot",
            "Where",
            "Any",
            "All",
            "VarIsInitializedOp",
        ],
        family: Family::Constant,
        keep: Keep::Indices,
        lower: Lower::Constant,
    },
    Entry::by_shape(&["ReadVariableOp"], Family::Constant, |lowering, record| lowering.read_variable(record)),
];
