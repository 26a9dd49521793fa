#pragma once
// The derivative of one operator, by libtorch's own autograd.

#include "arguments.h"
#include "call.h"
#include "rust/cxx.h"

#include <cstdint>
#include <memory>

namespace dlbacktrace::torch_ {

/// Calls `name` in its `overload` once more and takes Jᵀ·R by each of the `wanted` values. `values` numbers the tensors among the
/// arguments, lists flattened; `arriving` holds R at each output, undefined where nothing arrived. An undefined result means that
/// the operator has no derivative by that value.
std::unique_ptr<Tensors> differentiate(rust::Str name, rust::Str overload, const Arguments& arguments,
                                       rust::Slice<const size_t> values, rust::Slice<const size_t> wanted,
                                       const Tensors& arriving);

}  // namespace dlbacktrace::torch_
