#pragma once
// One argument, from what the caller gives to the type that the schema declares.

#include "arguments.h"

#include <ATen/core/jit_type.h>

#include <string>

namespace dlbacktrace::torch_ {

/// Converts `argument` to `type`; tensors are shared. `path` ("feats[0]") and `wanted` (the whole signature) go into the error's text.
c10::IValue convert(const Argument& argument, const c10::TypePtr& type, const std::string& path, const std::string& wanted);

}  // namespace dlbacktrace::torch_
