#include "geometry.h"

#include <c10/util/hash.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace dlbacktrace::torch_ {
namespace {

struct Axis {
  int64_t stride;
  int64_t size;
};

/// The axes along which a region really steps, the widest stride first.
std::vector<Axis> axes_of(const Geometry& region) {
  std::vector<Axis> axes;
  for (size_t i = 0; i < region.sizes.size(); ++i) {
    if (region.strides[i] != 0) axes.push_back({region.strides[i], region.sizes[i]});
  }
  std::sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
  return axes;
}

/// Whether `distance` = Σ mᵢ·strideᵢ has a solution with |mᵢ| < sizeᵢ, that is, whether two copies of one lattice at that
/// distance meet. If strides interleave, the answer is yes, though it is not decided.
bool lattices_meet(const std::vector<Axis>& axes, size_t from, int64_t distance) {
  if (from == axes.size()) return distance == 0;
  const auto [stride, size] = axes[from];
  int64_t reach = 0;
  for (size_t i = from + 1; i < axes.size(); ++i) reach += (axes[i].size - 1) * axes[i].stride;
  if (reach >= stride) return true;
  for (int64_t m : {distance / stride, distance / stride + 1}) {
    const int64_t rest = std::abs(distance - m * stride);
    if (m < size && rest <= reach && lattices_meet(axes, from + 1, rest)) return true;
  }
  return false;
}

}  // namespace

bool has_plain_storage(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && !tensor.is_nested() && tensor.has_storage();
}

Geometry Geometry::of(const at::Tensor& tensor) {
  Geometry region;
  region.dtype = tensor.scalar_type();
  region.opaque = !has_plain_storage(tensor);
  if (!tensor.is_nested()) region.sizes = tensor.sizes().vec();
  if (region.opaque) return region;
  region.strides = tensor.strides().vec();
  region.offset = tensor.storage_offset();
  region.conjugate = tensor.is_conj();
  region.negative = tensor.is_neg();
  region.dense = tensor.is_non_overlapping_and_dense();
  int64_t span = tensor.numel() == 0 ? 0 : 1;
  for (size_t i = 0; i < region.sizes.size(); ++i) {
    if (region.sizes[i] <= 1) region.strides[i] = 0;
    if (span > 0) span += (region.sizes[i] - 1) * region.strides[i];
  }
  const auto item = static_cast<int64_t>(tensor.element_size());
  region.first = region.offset * item;
  region.last = region.first + span * item;
  return region;
}

bool Geometry::operator==(const Geometry& other) const {
  return offset == other.offset && dtype == other.dtype && conjugate == other.conjugate && negative == other.negative &&
         opaque == other.opaque && sizes == other.sizes && strides == other.strides;
}

bool Geometry::covers(const Geometry& other) const {
  if (opaque || other.opaque || *this == other) return true;
  return dense && first <= other.first && other.last <= last;
}

bool Geometry::disjoint(const Geometry& other) const {
  if (opaque || other.opaque) return false;
  if (first == last || other.first == other.last) return true;
  if (last <= other.first || other.last <= first) return true;
  if (dtype != other.dtype || sizes != other.sizes || strides != other.strides) return false;
  return !lattices_meet(axes_of(*this), 0, std::abs(other.offset - offset));
}

size_t GeometryHash::operator()(const Geometry& geometry) const {
  size_t hash = c10::get_hash(geometry.offset, static_cast<int>(geometry.dtype));
  for (int64_t size : geometry.sizes) hash = c10::hash_combine(hash, static_cast<size_t>(size));
  for (int64_t stride : geometry.strides) hash = c10::hash_combine(hash, static_cast<size_t>(stride));
  return hash;
}

}  // namespace dlbacktrace::torch_
