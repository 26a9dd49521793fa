#pragma once
// An argument of an operator as plain data.

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/ivalue.h>

#include <functional>
#include <string>

namespace dlbacktrace::torch_ {

/// Writes an argument down. `slot_of` gives the slot of each defined tensor in it.
RawArgument describe(const std::string& name, const c10::IValue& value,
                     const std::function<RawSlot(const at::Tensor&)>& slot_of);

}  // namespace dlbacktrace::torch_
