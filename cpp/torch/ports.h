#pragma once
// The tensors inside a nested value, each with its name.

#include <ATen/core/ivalue.h>

#include <functional>
#include <string>
#include <vector>

namespace dlbacktrace::torch_ {

/// Calls `visit` for each defined tensor in `value`, in order. Names are `root`, then `[0]` into lists and tuples and `.key`
/// into dictionaries, NamedTuples and objects.
void each_tensor(const std::string& root, const c10::IValue& value,
                 const std::function<void(const std::string&, const at::Tensor&)>& visit);

/// The defined tensors in these values, in order.
std::vector<at::Tensor> tensors_in(c10::ArrayRef<c10::IValue> values);

/// The argument of an operator, with `other` of each defined tensor in its place.
c10::IValue with_tensors(const c10::IValue& argument, const std::function<at::Tensor(const at::Tensor&)>& other);

}  // namespace dlbacktrace::torch_
