#pragma once
// A TorchScript module: its structure, and how to run it.

#include "rust/cxx.h"
#include "values.h"

#include <memory>
#include <optional>

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace dlbacktrace::torch_ {

class Arguments;
class Policy;
class Sources;
class Recording;
struct FormalArgument;
struct NamedTensor;
struct OperatorCount;
struct ChanceUse;
struct Submodule;
struct Watcher;

class Module {
 public:
  /// Shares a live module, which must be in evaluation mode and on the CPU.
  /// `trained` says that it was in training mode before.
  explicit Module(const torch::jit::Module& module, bool trained = false);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module();

  /// Fails if the arguments do not fit the schema of `forward`.
  std::unique_ptr<Bound> bind(const Arguments& arguments) const;
  /// Runs `forward`; the recording holds only its outputs.
  std::unique_ptr<Recording> forward(std::unique_ptr<Bound> bound) const;
  /// Runs `forward` and records it, as long as the watcher lets it go on.
  std::unique_ptr<Recording> record(std::unique_ptr<Bound> bound, const std::shared_ptr<Policy>& policy,
                                    rust::Box<Watcher> watcher) const;

  rust::Vec<FormalArgument> arguments() const;
  rust::String returns() const;
  rust::Vec<Submodule> submodules() const;
  rust::Vec<NamedTensor> tensors() const;
  rust::Vec<OperatorCount> operators() const;
  rust::Vec<ChanceUse> chances() const;
  /// Whether runs would affect each other, so that each takes a copy.
  bool keeps_state() const { return keeps_state_; }
  /// Whether it was saved in training mode and its code asks for the mode.
  bool left_training() const { return left_training_; }

 private:
  /// Records if there is a watcher.
  std::unique_ptr<Recording> run(Bound bound, const std::shared_ptr<const Policy>& policy,
                                 std::optional<rust::Box<Watcher>> watcher) const;

  std::unique_ptr<torch::jit::Module> module_;
  std::shared_ptr<torch::jit::Graph> graph_;  ///< of `forward`; null if there is none
  std::shared_ptr<const Names> names_;
  std::shared_ptr<Sources> sources_;
  bool keeps_state_ = false;
  bool left_training_ = false;
};

std::unique_ptr<Module> load_module(rust::Str path);
/// The caller's own module, shared and not changed: one in training mode is refused.
std::unique_ptr<Module> share_module(const torch::jit::Module& module);

}  // namespace dlbacktrace::torch_
