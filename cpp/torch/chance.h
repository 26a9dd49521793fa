#pragma once
// How results depend on random numbers or on the batch, and libtorch's random number generator.

#include "rust/cxx.h"

#include <ATen/core/Generator.h>
#include <ATen/core/MT19937RNGEngine.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace torch::jit {
struct Node;
}  // namespace torch::jit

namespace dlbacktrace::torch_ {

enum class Chance : std::uint8_t;

/// Shows whether an operator draws from the generator while it runs. Dropout in evaluation mode draws nothing.
class Draws {
 public:
  /// Notes the state of the generator, if the operator is one that may draw.
  explicit Draws(const c10::OperatorHandle& op);
  bool any() const;

 private:
  std::optional<at::mt19937> before_;
};

/// Whether an attention or a recurrent layer drops elements inside, so that only its parts show what it computed.
bool drops_some(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments);
/// How the result of a call that draws nothing depends on the batch.
Chance chance_of(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments);
/// How the result of an operator in the code depends on random numbers or the batch, as far as its constant arguments show it.
Chance chance_of(const torch::jit::Node& node);

/// While this lives, the generator starts from a seed; afterwards it is as it was before.
class FixedGenerator {
 public:
  explicit FixedGenerator(std::uint64_t seed);
  FixedGenerator(const FixedGenerator&) = delete;
  FixedGenerator& operator=(const FixedGenerator&) = delete;
  ~FixedGenerator();

 private:
  at::Tensor before_;
};

std::unique_ptr<FixedGenerator> fix_generator(std::uint64_t seed);

}  // namespace dlbacktrace::torch_
