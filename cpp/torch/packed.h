#pragma once
// Packed weights of quantised layers.

#include <ATen/core/ivalue.h>

namespace dlbacktrace::torch_ {

/// The packed parameters of a linear layer as its weight in floating point and its bias, which is undefined if there is none.
/// Any other argument unchanged.
c10::IValue unpacked(const c10::IValue& argument);

}  // namespace dlbacktrace::torch_
