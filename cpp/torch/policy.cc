#include "policy.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace dlbacktrace::torch_ {

Policy::Policy(rust::Slice<const Leaf> leaves, bool keep_all) : keep_all_(keep_all) {
  for (const Leaf& leaf : leaves) leaves_.insert_or_assign(std::string(leaf.name), leaf.keep);
}

const Keep* Policy::leaf(const std::string& base) const {
  auto found = leaves_.find(base);
  return found == leaves_.end() ? nullptr : &found->second;
}

std::shared_ptr<Policy> new_policy(rust::Slice<const Leaf> leaves, bool keep_all) {
  return std::make_shared<Policy>(leaves, keep_all);
}

std::string base_name(const c10::OperatorHandle& op) {
  std::string name = op.schema().name();
  // "add_" is "add" in place; "__iand__" is a name by itself.
  const bool in_place = name.size() > 2 && name.back() == '_' && name[name.size() - 2] != '_';
  if (in_place && op.schema().is_mutable()) name.pop_back();
  return name;
}

}  // namespace dlbacktrace::torch_
