//! Known operators without a rule. They are listed so that `ops` shows them.

use super::{Entry, Lower};
use crate::Keep;
use dlbacktrace_core::Family;

pub(super) const ENTRIES: &[Entry] = &[Entry::new(
    &[
        "Dilation2D",
        "FractionalMaxPool",
        "FractionalAvgPool",
        "ResourceGatherNd",
        "Bitcast",
        "UnsortedSegmentProd",
        "XlaCallModule",
        "PyFunc",
        "EagerPyFunc",
        "PyFuncStateless",
        "CudnnRNN",
        "CudnnRNNV2",
        "CudnnRNNV3",
        "BlockLSTM",
        "BlockLSTMV2",
        "LSTMBlockCell",
        "GRUBlockCell",
    ],
    Family::Unruled,
    Keep::Indices,
    Lower::Unruled,
)];
