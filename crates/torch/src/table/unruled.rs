//! Operators that must not be followed into their parts, because these would explain something else
//! (rules §9), and that have no rule of their own.

use super::{Entry, Lower};
use dlbacktrace_core::Family;
use dlbacktrace_torch_recorder::Keep;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    names: &[
        "aten::quantized_lstm",
        "aten::quantized_gru",
        "aten::fake_quantize_per_tensor_affine",
        // Followed into their parts, an error would name an operator nobody wrote.
        "aten::fft_fft",
        "aten::fft_ifft",
        "aten::fft_rfft",
        "aten::fft_irfft",
        "aten::fft_fft2",
        "aten::fft_ifft2",
        "aten::fft_rfft2",
        "aten::fft_irfft2",
        "aten::fft_fftn",
        "aten::fft_ifftn",
        "aten::stft",
        "aten::istft",
    ],
    family: Family::Unruled,
    keep: Keep::Indices,
    lower: Lower::Unruled,
}];
