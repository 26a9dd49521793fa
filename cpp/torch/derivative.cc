#include "derivative.h"

#include "effects.h"
#include "errors.h"
#include "ports.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace dlbacktrace::torch_ {
namespace {

/// The arguments with variables in place of the wanted values.
class Variables {
 public:
  Variables(rust::Slice<const size_t> values, rust::Slice<const size_t> wanted) : values_(values), wanted_(wanted) {}

  c10::Stack stack(const c10::FunctionSchema& schema, const std::vector<c10::IValue>& arguments) {
    c10::Stack stack;
    for (size_t i = 0; i < arguments.size(); ++i) {
      writes_ = is_written(schema, arguments, i);
      stack.push_back(with_tensors(arguments[i], [&](const at::Tensor& tensor) { return next(tensor); }));
    }
    TORCH_CHECK(used_ == values_.size(), "the call has other tensors than its record");
    return stack;
  }

  /// The variable of a wanted value; undefined if it is no floating-point argument.
  at::Tensor of(size_t value) const {
    const auto found = variables_.find(value);
    return found == variables_.end() ? at::Tensor() : found->second;
  }

 private:
  at::Tensor next(const at::Tensor& recorded) {
    TORCH_CHECK(used_ < values_.size(), "the call has other tensors than its record");
    const size_t value = values_[used_++];
    const bool wanted = std::find(wanted_.begin(), wanted_.end(), value) != wanted_.end();
    if (!wanted || !(recorded.is_floating_point() || recorded.is_complex())) {
      return writes_ ? recorded.detach().clone() : recorded.detach();
    }
    at::Tensor& variable = variables_[value];
    if (!variable.defined()) variable = recorded.detach().requires_grad_();
    // An operator that writes may not write a variable, only a copy.
    return writes_ ? variable.clone() : variable;
  }

  rust::Slice<const size_t> values_;
  rust::Slice<const size_t> wanted_;
  std::unordered_map<size_t, at::Tensor> variables_;
  size_t used_ = 0;
  bool writes_ = false;
};

}  // namespace

std::unique_ptr<Tensors> differentiate(rust::Str name, rust::Str overload, const Arguments& arguments,
                                       rust::Slice<const size_t> values, rust::Slice<const size_t> wanted,
                                       const Tensors& arriving) {
  return guarded([&] {
    const c10::AutoGradMode with_gradients(true);
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(std::string(name).c_str(), std::string(overload).c_str());
    Variables variables(values, wanted);
    c10::Stack stack = variables.stack(op.schema(), arguments.operands(op.schema()));
    op.callBoxed(&stack);

    const std::vector<at::Tensor> results = tensors_in(stack);
    torch::autograd::variable_list outputs;
    torch::autograd::variable_list relevance;
    for (size_t i = 0; i < results.size() && i < arriving.size(); ++i) {
      const at::Tensor& arrived = arriving[i];
      if (!arrived.defined() || !results[i].requires_grad()) continue;
      outputs.push_back(results[i]);
      relevance.push_back(arrived.to(results[i].scalar_type()));
    }
    torch::autograd::variable_list inputs;
    std::vector<size_t> places;
    for (size_t i = 0; i < wanted.size(); ++i) {
      at::Tensor variable = variables.of(wanted[i]);
      if (!variable.defined()) continue;
      inputs.push_back(variable);
      places.push_back(i);
    }
    std::vector<at::Tensor> found(wanted.size());
    if (!outputs.empty() && !inputs.empty()) {
      const auto derivatives = torch::autograd::grad(outputs, inputs, relevance, /*retain_graph=*/false,
                                                     /*create_graph=*/false, /*allow_unused=*/true);
      for (size_t i = 0; i < places.size(); ++i) found[places[i]] = derivatives[i];
    }
    return std::make_unique<Tensors>(std::move(found));
  });
}

}  // namespace dlbacktrace::torch_
