#pragma once
// What an operator gives by chance, and libtorch's generator of random numbers.

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

/// Tells whether an operator takes numbers from the generator while it runs. Dropout that does not train takes none.
class Draws {
 public:
  /// Looks at the generator, if the operator is one that may draw.
  explicit Draws(const c10::OperatorHandle& op);
  bool any() const;

 private:
  std::optional<at::mt19937> before_;
};

/// Whether an attention or a recurrent layer drops some of what passes within, so that only its parts tell what it gave.
bool drops_some(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments);
/// What a call that draws nothing gives by chance.
Chance chance_of(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments);
/// What an operator in the code gives by chance, as far as its constant arguments tell.
Chance chance_of(const torch::jit::Node& node);

/// The generator starts from a seed while this lives, and is then as it was before.
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
