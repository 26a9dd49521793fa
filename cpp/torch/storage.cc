#include "storage.h"

#include <ATen/core/Tensor.h>

namespace dlbacktrace::torch_ {

bool holds_alone(const AtTensor& tensor) {
  return tensor.use_count() == 1 && tensor.has_storage() && tensor.storage().use_count() == 1 &&
         tensor.is_non_overlapping_and_dense();
}

bool is_strided(const AtTensor& tensor) { return tensor.layout() == c10::kStrided; }

}  // namespace dlbacktrace::torch_
