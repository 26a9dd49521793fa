#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace dlbacktrace::torch_ {

/// Whether a call is of an LSTM's layers over one another, whose parts are oneDNN's, out of sight.
bool is_layered(const c10::OperatorHandle& op, c10::ArrayRef<c10::IValue> arguments);

/// Runs layers of an LSTM one by one, with dropout between them as libtorch has it: the same numbers, and the same draws.
void call_layers(const c10::OperatorHandle& op, c10::Stack* stack);

}  // namespace dlbacktrace::torch_
