#pragma once
// One operator, called by name.

#include "arguments.h"
#include "rust/cxx.h"
#include "session.h"

#include <memory>

namespace dlbacktrace::torch_ {

/// Tensors in order.
class Tensors {
 public:
  explicit Tensors(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {}
  size_t size() const { return tensors_.size(); }
  std::unique_ptr<AtTensor> at(size_t index) const { return std::make_unique<at::Tensor>(tensors_.at(index)); }

 private:
  std::vector<at::Tensor> tensors_;
};

/// Calls `name` ("aten::roll") in its `overload`; returns its tensors, with lists flattened.
std::unique_ptr<Tensors> call_operator(rust::Str name, rust::Str overload, const Arguments& arguments);

}  // namespace dlbacktrace::torch_
