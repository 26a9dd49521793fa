#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace dlbacktrace::torch_ {

/// Whether an operator is layers of an LSTM over one another, whose parts are oneDNN's, out of sight.
bool is_lstm(const c10::OperatorHandle& op);

/// Runs layers of an LSTM one by one, with dropout between them as libtorch has it: the same numbers, and the same draws.
void call_layers(const c10::OperatorHandle& op, c10::Stack* stack);

}  // namespace dlbacktrace::torch_
