#pragma once
// The identity of values: which tensor shows which content.
//
// A value is an immutable content. Its key is the storage, the region shown, and the writes that reached this region.
// Each storage has a history of the values seen on it. A write adds a value, and older values that it touches become stale:
// they are no longer what a tensor shows, and tensors kept for them are moved to a copy first.

#include "geometry.h"

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace dlbacktrace::torch_ {

enum class OriginKind : std::uint8_t;

struct Name {
  OriginKind origin;
  std::string path;
};

/// Names of tensors by identity: parameters and buffers.
using Names = std::unordered_map<const c10::TensorImpl*, Name>;

struct Value {
  Geometry geometry;
  OriginKind origin;
  std::string name;
  at::Tensor tensor;  ///< undefined unless kept
};

class Values {
 public:
  explicit Values(std::shared_ptr<const Names> names) : names_(std::move(names)) {}

  /// A value composed of earlier ones: sources in the order of writing, then the value read.
  using Alias = std::vector<size_t>;

  struct Seen {
    size_t value;
    bool fresh;  ///< whether the value is new
  };

  /// The value that a tensor shows when it is read. `alias` is filled if no operator returned this value.
  size_t read(const at::Tensor& tensor, std::optional<Alias>& alias);
  /// The value of a tensor that an operator returned without writing it.
  Seen give(const at::Tensor& tensor);
  /// The new value of a tensor that an operator has just written.
  size_t write(const at::Tensor& tensor);
  /// Names the value of an explained input.
  size_t input(const std::string& name, const at::Tensor& tensor);

  /// Must come before each write: moves kept tensors that the write would reach to a copy.
  void before_write(const at::Tensor& tensor);
  /// Keeps the tensor of a value, which shows it now.
  void keep(size_t value, const at::Tensor& tensor);
  /// Whether the storage of the tensor has been seen before.
  bool knows(const at::Tensor& tensor) const;

  /// Whether the tensor shows content of the recording that is no longer a single value.
  bool is_stale(const at::Tensor& tensor) const;

  const Geometry& geometry(size_t value) const { return values_[value].geometry; }
  std::vector<Value> take() { return std::move(values_); }

  /// What a tensor lives on: its storage, or itself if it is opaque. Unique as long as the recording holds it weakly.
  static const void* address(const at::Tensor& tensor);

 private:
  struct Event {
    size_t value;
    bool defines;  ///< brought content (computed, written, found), rather than showing what was there
  };

  struct Body {
    // Weak: keeps the address from being used again, not the data.
    std::variant<std::monostate, c10::weak_intrusive_ptr<c10::StorageImpl>,
                 c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>>
        alive;
    bool traced = false;  ///< its content comes from the recording or its inputs, not from before
    std::vector<Event> events;
    std::unordered_map<Geometry, size_t, GeometryHash> latest;  ///< the last event of each region
    std::vector<size_t> kept;
  };

  Body& body_of(const at::Tensor& tensor);
  /// The value of exactly this region, unless a later write touched it.
  std::optional<size_t> current(const Body& body, const Geometry& geometry) const;
  Alias sources_of(const Body& body, const Geometry& target) const;
  size_t add(Body& body, Geometry geometry, bool defines, OriginKind origin, std::string name = {});
  size_t find_origin(Body& body, Geometry geometry, const at::Tensor& tensor);

  std::shared_ptr<const Names> names_;
  std::vector<Value> values_;
  std::unordered_map<const void*, Body> bodies_;
};

}  // namespace dlbacktrace::torch_
