#include "snapshot.h"

#include "geometry.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <limits>

namespace dlbacktrace::torch_ {
namespace {

// Offsets into the copy must remain whole elements of every type.
constexpr int64_t kLargestItem = 16;

/// The bytes [first, first+count) of a storage as a tensor.
at::Tensor bytes_of(const at::Tensor& owner, int64_t first, int64_t count) {
  auto bytes = at::empty({0}, owner.options().dtype(at::kByte));
  return bytes.set_(owner.storage(), first, {count}, {1});
}

}  // namespace

at::Tensor same_content(const at::Tensor& tensor) {
  const c10::TensorImpl* impl = tensor.unsafeGetTensorImpl();
  return at::Tensor(impl->shallow_copy_and_detach(impl->version_counter(), /*allow_tensor_metadata_change=*/true));
}

void move_to_copy(const std::vector<at::Tensor*>& tensors) {
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = 0;
  for (const at::Tensor* tensor : tensors) {
    const Geometry region = Geometry::of(*tensor);
    if (region.opaque) continue;
    first = std::min(first, region.first / kLargestItem * kLargestItem);
    last = std::max(last, region.last);
  }
  at::Tensor copy;
  for (at::Tensor* tensor : tensors) {
    if (!has_plain_storage(*tensor)) {
      *tensor = tensor->clone();
      continue;
    }
    if (!copy.defined()) copy = bytes_of(*tensor, first, last - first).clone();
    // The tensor object is our own (same_content), so its storage may be changed.
    const int64_t shift = first / static_cast<int64_t>(tensor->element_size());
    c10::TensorImpl* impl = tensor->unsafeGetTensorImpl();
    impl->set_storage_offset(impl->storage_offset() - shift);
    impl->set_storage_keep_dtype(copy.storage());
  }
}

}  // namespace dlbacktrace::torch_
