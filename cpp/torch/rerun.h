#pragma once
// What is needed to run a recorded call again.

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <cstddef>
#include <string>
#include <vector>

namespace dlbacktrace::torch_ {

struct Rerun {
  c10::OperatorHandle op;
  std::vector<c10::IValue> stack;  ///< the arguments; tensors in it only mark their places
  std::vector<size_t> arguments;   ///< the values of those tensors, in order
  std::vector<size_t> results;     ///< the values of the results
  size_t returned;                 ///< how many of the results were returned, rather than only written
  std::string path;
  bool drew;  ///< whether it took random numbers
};

}  // namespace dlbacktrace::torch_
