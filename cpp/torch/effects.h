#pragma once
// What a call does besides returning results.

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <cstddef>

namespace dlbacktrace::torch_ {

/// Whether a call writes its argument `index`.
bool is_written(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments, size_t index);

/// Whether a call's arguments ask for the behaviour of training.
bool trains(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments);

}  // namespace dlbacktrace::torch_
