#pragma once
// Who else holds a tensor's elements.

#include "recording.h"

namespace dlbacktrace::torch_ {

/// Another handle of the tensor.
inline std::unique_ptr<AtTensor> handle(const AtTensor& tensor) { return std::make_unique<AtTensor>(tensor); }
/// Whether no other tensor, view or clone sees writes into this one, and none of its elements lie at the same place.
bool holds_alone(const AtTensor& tensor);
/// Whether its elements lie at strides, which those of sparse tensors do not.
bool is_strided(const AtTensor& tensor);

}  // namespace dlbacktrace::torch_
