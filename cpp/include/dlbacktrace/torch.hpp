// Live modules and tensors of libtorch: nothing is copied, and the library uses the libtorch of the program. Functions may be
// called from several threads.
//
//   torch::jit::Module module = torch::jit::load("classifier.pt");
//   module.eval();
//   dlbacktrace::Model model = dlbacktrace::share(module);
//   auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::share(image)));
//   at::Tensor relevance = dlbacktrace::tensor(explanation.inputs()[0]);
#pragma once

#include <dlbacktrace/dlbacktrace.hpp>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/version.h>

#include <utility>

namespace dlbacktrace {

/// A model that shares a live module, which must be in evaluation mode and on the CPU. The module is not changed. Share it
/// again after its parameters have been replaced by other tensors.
[[nodiscard]] inline Model share(const torch::jit::Module& module) {
  detail::check_interface();
  return Model(
      detail::own(dlb_model_free, [&](dlb_model** made) { return dlb_model_share_torch(&module, TORCH_VERSION, made); }));
}

/// A live tensor as an input.
[[nodiscard]] inline Value share(at::Tensor tensor) {
  return Value([tensor = std::move(tensor)](dlb_request* request, const char* name) {
    return dlb_request_share_torch(request, name, &tensor);
  });
}

namespace detail {

inline at::Tensor tensor_at(const void* tensor) { return tensor ? *static_cast<const at::Tensor*>(tensor) : at::Tensor(); }

}  // namespace detail

/// The relevance as a tensor, which outlives the explanation; undefined for another framework or an absent channel.
[[nodiscard]] inline at::Tensor tensor(const InputRelevance& input, Channel channel = Channel::positive) {
  return detail::tensor_at(input.torch_tensor(channel));
}
[[nodiscard]] inline at::Tensor tensor(const ValueRelevance& value, Channel channel = Channel::positive) {
  return detail::tensor_at(value.torch_tensor(channel));
}

/// The output as a tensor, which outlives the result; undefined for another framework.
[[nodiscard]] inline at::Tensor tensor(const Output& output) { return detail::tensor_at(output.torch_tensor()); }
[[nodiscard]] inline at::Tensor tensor(const Prediction& prediction) { return detail::tensor_at(prediction.torch_tensor); }

}  // namespace dlbacktrace
