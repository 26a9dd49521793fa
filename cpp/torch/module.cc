#include "module.h"

#include "arguments.h"
#include "errors.h"
#include "graph.h"
#include "listening.h"
#include "ports.h"
#include "recorder.h"
#include "scope.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <functional>
#include <utility>

namespace dlbacktrace::torch_ {
namespace {

/// The tensors of a module by identity. Only parameters are registered as such; every other attribute counts as a buffer.
std::shared_ptr<const Names> names_of(const torch::jit::Module& module) {
  auto names = std::make_shared<Names>();
  for (const auto& parameter : module.named_parameters()) {
    names->try_emplace(parameter.value.unsafeGetTensorImpl(), Name{OriginKind::Parameter, parameter.name});
  }
  for (const auto& attribute : module.named_attributes()) {
    each_tensor(attribute.name, attribute.value, [&](const std::string& name, const at::Tensor& tensor) {
      names->try_emplace(tensor.unsafeGetTensorImpl(), Name{OriginKind::Buffer, name});
    });
  }
  return names;
}

/// Runs forked tasks where they are forked, so that the operators of every run come in the same order.
void at_once(const std::function<void()>& task) { task(); }

/// Whether the module was never loaded; libtorch shows that only by an exception.
bool is_empty(const torch::jit::Module& module) {
  try {
    return !module._ivalue();
  } catch (const c10::Error&) {
    return true;
  }
}

bool is_training(const torch::jit::Module& module) { return module.hasattr("training") && module.is_training(); }

}  // namespace

std::unique_ptr<Module> load_module(rust::Str path) {
  return guarded([&] {
    torch::jit::Module module = torch::jit::load(std::string(path), at::kCPU);
    for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
      if (auto* code = torch::jit::tryToGraphFunction(*function)) put_on_cpu(*code->graph());
    }
    bool trained = false;
    for (const torch::jit::Module& part : module.modules()) trained = trained || is_training(part);
    module.eval();
    return std::make_unique<Module>(module, trained);
  });
}

std::unique_ptr<Module> share_module(const torch::jit::Module& module) {
  return guarded([&] {
    TORCH_CHECK(!is_empty(module), "there is no module");
    for (const auto& part : module.named_modules()) {
      TORCH_CHECK(!is_training(part.value), "the module", part.name.empty() ? "" : " '" + part.name + "'",
                  " is in training mode; call eval() first");
    }
    for (const auto& parameter : module.named_parameters()) {
      TORCH_CHECK(parameter.value.is_cpu(), "the parameter '", parameter.name, "' is on ", parameter.value.device(),
                  "; modules on the CPU are explained");
    }
    return std::make_unique<Module>(module);
  });
}

Module::Module(const torch::jit::Module& module, bool trained)
    : module_(std::make_unique<torch::jit::Module>(module)), sources_(std::make_shared<Sources>()) {
  names_ = names_of(*module_);
  if (auto forward = module_->find_method("forward")) {
    graph_ = evaluation_graph(*forward->graph());
    TORCH_CHECK(!has_packed_weights(*graph_),
                "its weights are in oneDNN's own layout, as optimize_for_inference leaves them, ",
                "and cannot be read; take the module as it was before");
    keeps_state_ = may_change_module(graph_);
    left_training_ = trained && reads_mode(*forward->graph());
  }
}

Module::~Module() = default;

std::unique_ptr<Bound> Module::bind(const Arguments& arguments) const {
  return guarded(
      [&] { return std::make_unique<Bound>(arguments.bind(module_->get_method("forward").function().getSchema())); });
}

std::unique_ptr<Recording> Module::forward(std::unique_ptr<Bound> bound) const {
  return guarded(
      [&] { return run(std::move(*bound), std::make_shared<Policy>(rust::Slice<const Leaf>(), false), std::nullopt); });
}

std::unique_ptr<Recording> Module::record(std::unique_ptr<Bound> bound, const std::shared_ptr<Policy>& policy,
                                          rust::Box<Watcher> watcher) const {
  return guarded([&] {
    TORCH_CHECK(
        !Listening::active(),
        "this thread is recording already; finish or drop that recording first. A progress function must not run a model");
    return run(std::move(*bound), policy, std::move(watcher));
  });
}

std::unique_ptr<Recording> Module::run(Bound bound, const std::shared_ptr<const Policy>& policy,
                                       std::optional<rust::Box<Watcher>> watcher) const {
  const c10::AutoGradMode no_grad(false);
  // Unoptimised, so that each operator that runs is the one in the code.
  const torch::jit::GraphOptimizerEnabledGuard unoptimised(false);
  const torch::jit::Module module = keeps_state_ ? module_->deepcopy() : *module_;
  auto forward = module.get_method("forward");
  const bool listen = watcher.has_value();
  const auto recorder =
      std::make_shared<Recorder>(policy, keeps_state_ ? names_of(module) : names_, sources_, std::move(watcher));
  for (const Given& given : bound.given) {
    each_tensor(given.name, given.value,
                [&](const std::string& name, const at::Tensor& tensor) { recorder->input(name, tensor); });
  }
  c10::IValue result;
  try {
    std::optional<Listening> listening;
    if (listen) listening.emplace(recorder);
    auto future = forward.run_async(std::move(bound.stack), {}, at_once);
    future->waitAndThrow();
    result = future->value();
  } catch (const std::exception& error) {
    const std::string failed = recorder->failure();
    // libtorch wraps the message of a failed operator in the code around it; the recorder has the message itself.
    throw std::runtime_error(failed.empty() ? short_text(error) : failed);
  }
  each_tensor("output", result, [&](const std::string& name, const at::Tensor& tensor) { recorder->output(name, tensor); });
  return recorder->finish();
}

}  // namespace dlbacktrace::torch_
