#pragma once
// Copies of tensors that keep their strides.

#include <ATen/core/Tensor.h>

#include <vector>

namespace dlbacktrace::torch_ {

/// Another tensor object on the same storage, without gradient.
at::Tensor same_content(const at::Tensor& tensor);

/// Moves tensors that share a storage to one copy of the part that they show, with unchanged strides.
void move_to_copy(const std::vector<at::Tensor*>& tensors);

}  // namespace dlbacktrace::torch_
