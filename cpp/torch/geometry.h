#pragma once
// The region of a storage that a tensor shows.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dlbacktrace::torch_ {

struct Geometry {
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;  ///< in elements; 0 for a dimension of one element, where it has no meaning
  int64_t offset = 0;            ///< in elements
  at::ScalarType dtype = at::ScalarType::Undefined;
  bool conjugate = false;
  bool negative = false;
  bool dense = false;   ///< fills [first, last) without gaps
  bool opaque = false;  ///< has no plain storage (sparse, mkldnn, nested), so it stands by itself
  int64_t first = 0;    ///< first byte
  int64_t last = 0;     ///< the byte after the last

  static Geometry of(const at::Tensor& tensor);

  bool operator==(const Geometry& other) const;
  /// Whether every element of `other` lies in this region, provably.
  bool covers(const Geometry& other) const;
  /// Whether the two regions share no element, provably.
  bool disjoint(const Geometry& other) const;
};

struct GeometryHash {
  size_t operator()(const Geometry& geometry) const;
};

/// Whether the tensor shows a plain storage; otherwise it is opaque.
bool has_plain_storage(const at::Tensor& tensor);

}  // namespace dlbacktrace::torch_
