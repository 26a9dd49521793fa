#include "packed.h"

#include <ATen/ATen.h>
#include <ATen/core/jit_type.h>
#include <ATen/native/quantized/PackedParams.h>
#include <torch/custom_class.h>

namespace dlbacktrace::torch_ {

c10::IValue unpacked(const c10::IValue& argument) {
  constexpr auto kLinear = "__torch__.torch.classes.quantized.LinearPackedParamsBase";
  if (!argument.isObject() || argument.toObjectRef().type()->str() != kLinear) return argument;
  const auto [weight, bias] = argument.toCustomClass<LinearPackedParamsBase>()->unpack();
  return c10::List<at::Tensor>(
      {weight.is_quantized() ? weight.dequantize() : weight.to(at::kFloat), bias.value_or(at::Tensor())});
}

}  // namespace dlbacktrace::torch_
