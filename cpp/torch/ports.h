#pragma once
// The tensors inside a nested value, each with its name.

#include <ATen/core/ivalue.h>

#include <functional>
#include <string>

namespace dlbacktrace::torch_ {

/// Calls `visit` for each defined tensor in `value`, in order. Names are `root`, then `[0]` into lists and tuples and `.key`
/// into dictionaries, NamedTuples and objects.
void each_tensor(const std::string& root, const c10::IValue& value,
                 const std::function<void(const std::string&, const at::Tensor&)>& visit);

}  // namespace dlbacktrace::torch_
