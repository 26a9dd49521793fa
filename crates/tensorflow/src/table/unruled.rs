//! Known, and without a rule (rules §9): listed so that `ops` shows that they are.

use super::{Entry, Lower};
use crate::Keep;
use dlbacktrace_core::Family;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    names: &[
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
        "FFT",
        "FFT2D",
        "FFT3D",
        "IFFT",
        "IFFT2D",
        "IFFT3D",
        "RFFT",
        "RFFT2D",
        "RFFT3D",
        "IRFFT",
        "IRFFT2D",
        "IRFFT3D",
        "CudnnRNN",
        "CudnnRNNV2",
        "CudnnRNNV3",
        "BlockLSTM",
        "BlockLSTMV2",
        "LSTMBlockCell",
        "GRUBlockCell",
    ],
    family: Family::Unruled,
    keep: Keep::Indices,
    lower: Lower::Unruled,
}];
