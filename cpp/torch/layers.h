#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace dlbacktrace::torch_ {

/// Whether a call is of a stacked LSTM, whose parts are oneDNN's and cannot be seen.
bool is_layered(const c10::OperatorHandle& op, c10::ArrayRef<c10::IValue> arguments);

/// Runs the layers of an LSTM one by one, with dropout between them as libtorch does it: the same numbers and the same draws.
void call_layers(const c10::OperatorHandle& op, c10::Stack* stack);

}  // namespace dlbacktrace::torch_
