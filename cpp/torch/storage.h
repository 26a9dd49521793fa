#pragma once
// Who holds a tensor's elements.

#include "recording.h"

namespace dlbacktrace::torch_ {

/// Whether no other tensor, view or clone can see what is written into this one, and no element of it lies where another does.
bool holds_alone(const AtTensor& tensor);
/// Whether its elements lie at strides, unlike those of sparse tensors.
bool is_strided(const AtTensor& tensor);

}  // namespace dlbacktrace::torch_
