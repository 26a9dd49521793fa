#pragma once
// An argument of an operator as plain data.

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type_base.h>

#include <functional>
#include <string>

namespace dlbacktrace::torch_ {

/// Describes an argument. `slot_of` gives the slot of each defined tensor in it.
RawArgument describe(const std::string& name, const c10::IValue& value,
                     const std::function<RawSlot(const at::Tensor&)>& slot_of);

/// A type as TorchScript writes it, except that a named tuple lists its fields: "NamedTuple[x: Tensor, n: int]".
std::string describe(const c10::Type& type);

}  // namespace dlbacktrace::torch_
