// What a module is made of.

#include "errors.h"
#include "graph.h"
#include "module.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace dlbacktrace::torch_ {
namespace {

NamedTensor named_tensor(const std::string& name, const at::Tensor& tensor, bool is_buffer) {
  NamedTensor named{rust::String::lossy(name), {}, static_cast<int32_t>(tensor.scalar_type()), is_buffer};
  std::copy(tensor.sizes().begin(), tensor.sizes().end(), std::back_inserter(named.sizes));
  return named;
}

}  // namespace

rust::Vec<FormalArgument> Module::arguments() const {
  return guarded([&] {
    rust::Vec<FormalArgument> formals;
    const auto& arguments = module_->get_method("forward").function().getSchema().arguments();
    for (size_t i = 1; i < arguments.size(); ++i) {
      formals.push_back({rust::String::lossy(arguments[i].name()),
                         rust::String::lossy(arguments[i].type()->annotation_str()),
                         arguments[i].default_value().has_value()});
    }
    return formals;
  });
}

rust::String Module::returns() const {
  return guarded([&] {
    const auto& returns = module_->get_method("forward").function().getSchema().returns();
    TORCH_CHECK(returns.size() == 1, "forward returns ", returns.size(), " values");
    return rust::String::lossy(returns.front().type()->annotation_str());
  });
}

rust::Vec<Submodule> Module::submodules() const {
  return guarded([&] {
    rust::Vec<Submodule> submodules;
    for (const auto& entry : module_->named_modules()) {
      const auto name = entry.value.type()->name();
      submodules.push_back({rust::String::lossy(entry.name), rust::String::lossy(name ? name->name() : "")});
    }
    return submodules;
  });
}

rust::Vec<NamedTensor> Module::tensors() const {
  return guarded([&] {
    rust::Vec<NamedTensor> tensors;
    for (const auto& entry : module_->named_parameters()) tensors.push_back(named_tensor(entry.name, entry.value, false));
    for (const auto& entry : module_->named_buffers()) tensors.push_back(named_tensor(entry.name, entry.value, true));
    return tensors;
  });
}

rust::Vec<OperatorCount> Module::operators() const {
  return guarded([&] {
    TORCH_CHECK(graph_, "the module has no forward");
    std::map<std::string, size_t> counts;
    each_node(*graph_, [&](torch::jit::Node& node) { ++counts[node.kind().toQualString()]; });
    rust::Vec<OperatorCount> operators;
    for (const auto& [name, count] : counts) operators.push_back({rust::String::lossy(name), count});
    return operators;
  });
}

}  // namespace dlbacktrace::torch_
