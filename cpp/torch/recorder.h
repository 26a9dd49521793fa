#pragma once
// Records the operators that libtorch dispatches.

#include "policy.h"
#include "recording.h"
#include "rerun.h"
#include "scope.h"
#include "values.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dlbacktrace::torch_ {

/// One recording. Forked TorchScript tasks of one run share it, hence the lock; it is never held while an operator runs.
class Recorder {
 public:
  /// A watcher may stop the run before any of its operators.
  Recorder(std::shared_ptr<const Policy> policy, std::shared_ptr<const Names> names, std::shared_ptr<Sources> sources,
           std::optional<rust::Box<Watcher>> watcher = std::nullopt)
      : policy_(std::move(policy)), sources_(std::move(sources)), watcher_(std::move(watcher)), values_(std::move(names)) {}

  void input(const std::string& name, const at::Tensor& tensor);
  void output(const std::string& name, const at::Tensor& tensor);
  /// Runs a dispatched operator, and records it or its parts.
  void call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, c10::Stack* stack);
  /// Ends the recording; a forked task that is still running continues unrecorded.
  std::unique_ptr<Recording> finish();
  /// Which operator failed, where and why; empty if none did, or if the run continued.
  std::string failure();

 private:
  /// A running call whose arguments have been recorded.
  struct Pending {
    RawRecord record;
    Keep keep;
    std::vector<at::Tensor> written;
    std::vector<const void*> addresses;  ///< where each written tensor lived before
    std::vector<c10::IValue> stack;      ///< for the replay
    std::vector<size_t> read;            ///< the values of its tensors, for the replay
  };

  void call_whole(const c10::OperatorHandle& op, const std::string& base, Keep keep, c10::Stack* stack);
  void call_view(const c10::OperatorHandle& op, const std::string& base, Keep keep, c10::Stack* stack);
  void call_parts(const c10::OperatorHandle& op, c10::DispatchKeySet keys, const std::string& base, c10::Stack* stack);
  Pending begin(const c10::OperatorHandle& op, const std::string& base, Keep keep, c10::ArrayRef<c10::IValue> arguments);
  void end(const c10::OperatorHandle& op, Pending pending, c10::ArrayRef<c10::IValue> returns);

  /// Whether every tensor returned lives where the recording has seen something.
  bool accounts_for(c10::ArrayRef<c10::IValue> returns);
  /// Whether an operator returned only views of its first argument, whose content has changed since it was last read.
  bool shows_stale(c10::ArrayRef<c10::IValue> arguments, c10::ArrayRef<c10::IValue> returns);

  /// The value that a tensor shows; records where it comes from if no operator returned it.
  size_t read(const at::Tensor& tensor);
  RawSlot read_slot(const at::Tensor& tensor, bool whole);
  RawOutput output_slot(const at::Tensor& tensor, Values::Seen seen, Keep keep);
  bool keeps(const at::Tensor& tensor, bool whole) const;
  void blame(const c10::OperatorHandle& op, const Pending& pending, const std::exception& error);

  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<Sources> sources_;
  std::optional<rust::Box<Watcher>> watcher_;
  std::mutex mutex_;
  bool open_ = true;
  Values values_;
  std::vector<RawRecord> records_;
  std::vector<Rerun> reruns_;
  std::vector<RawPort> inputs_;
  std::vector<RawPort> outputs_;
  std::string failure_;
};

}  // namespace dlbacktrace::torch_
