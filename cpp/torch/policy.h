#pragma once
// Decides which operators are recorded as a whole, and which tensors stay in memory.

#include "rust/cxx.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace c10 {
class OperatorHandle;
}

namespace dlbacktrace::torch_ {

enum class Keep : std::uint8_t;
struct Leaf;

class Policy {
 public:
  Policy(rust::Slice<const Leaf> leaves, bool keep_all);

  bool keeps_all() const { return keep_all_; }
  /// What the leaf of this base name keeps; null if it is not a leaf.
  const Keep* leaf(const std::string& base) const;

 private:
  std::unordered_map<std::string, Keep> leaves_;
  bool keep_all_;
};

std::shared_ptr<Policy> new_policy(rust::Slice<const Leaf> leaves, bool keep_all);

/// The qualified name under which a policy knows the operator: that of its functional twin.
std::string base_name(const c10::OperatorHandle& op);

}  // namespace dlbacktrace::torch_
