// The structure of a module.

#include "chance.h"
#include "describe.h"
#include "errors.h"
#include "graph.h"
#include "module.h"
#include "scope.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/dispatch/Dispatcher.h>
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

/// Whether a type is a tensor or contains tensors.
bool has_tensors(const c10::Type& type) {
  const auto contained = type.containedTypes();
  return type.kind() == c10::TypeKind::TensorType ||
         std::any_of(contained.begin(), contained.end(), [](const auto& inner) { return has_tensors(*inner); });
}

/// Whether an operator computes tensors from tensors, unlike factories, sizes and the handling of lists.
bool computes(const c10::FunctionSchema& schema) {
  const auto any = [](const std::vector<c10::Argument>& values) {
    return std::any_of(values.begin(), values.end(), [](const auto& value) { return has_tensors(*value.type()); });
  };
  return any(schema.arguments()) && any(schema.returns());
}

bool is_composite(const c10::FunctionSchema& schema) {
  const auto op = c10::Dispatcher::singleton().findSchema(schema.operator_name());
  return op && op->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
}

}  // namespace

rust::Vec<FormalArgument> Module::arguments() const {
  return guarded([&] {
    rust::Vec<FormalArgument> formals;
    const auto& arguments = module_->get_method("forward").function().getSchema().arguments();
    for (size_t i = 1; i < arguments.size(); ++i) {
      formals.push_back({rust::String::lossy(arguments[i].name()), rust::String::lossy(describe(*arguments[i].type())),
                         arguments[i].default_value().has_value()});
    }
    return formals;
  });
}

rust::String Module::returns() const {
  return guarded([&] {
    const auto& returns = module_->get_method("forward").function().getSchema().returns();
    TORCH_CHECK(returns.size() == 1, "forward returns ", returns.size(), " values");
    return rust::String::lossy(describe(*returns.front().type()));
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
    std::map<std::string, OperatorCount> counts;
    each_node(*graph_, [&](torch::jit::Node& node) {
      const std::string name = node.kind().toQualString();
      OperatorCount& found = counts.try_emplace(name, OperatorCount{name, 0, false, false}).first->second;
      ++found.count;
      if (const auto* schema = node.maybeSchema()) {
        found.computes = found.computes || computes(*schema);
        found.composite = found.composite || is_composite(*schema);
      }
    });
    rust::Vec<OperatorCount> operators;
    for (const auto& [name, found] : counts) operators.push_back(found);
    return operators;
  });
}

rust::Vec<ChanceUse> Module::chances() const {
  return guarded([&] {
    TORCH_CHECK(graph_, "the module has no forward");
    rust::Vec<ChanceUse> uses;
    each_node(*graph_, [&](torch::jit::Node& node) {
      const Chance chance = chance_of(node);
      if (chance == Chance::None) return;
      const Scope scope = scope_of(node);
      uses.push_back(
          {node.kind().toQualString(), rust::String::lossy(scope.path), rust::String::lossy(scope.class_name), chance});
    });
    return uses;
  });
}

}  // namespace dlbacktrace::torch_
