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
  Tensors() = default;
  explicit Tensors(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {}
  size_t size() const { return tensors_.size(); }
  const at::Tensor& operator[](size_t index) const { return tensors_[index]; }
  void push(const AtTensor& tensor) { tensors_.push_back(tensor); }
  void push_undefined() { tensors_.emplace_back(); }
  std::unique_ptr<AtTensor> at(size_t index) const { return std::make_unique<at::Tensor>(tensors_.at(index)); }

 private:
  std::vector<at::Tensor> tensors_;
};

std::unique_ptr<Tensors> new_tensors();

/// Calls `name` ("aten::roll") in its `overload`; returns its tensors, with lists flattened.
std::unique_ptr<Tensors> call_operator(rust::Str name, rust::Str overload, const Arguments& arguments);

}  // namespace dlbacktrace::torch_
