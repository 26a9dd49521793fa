#pragma once
// Connects a recorder with libtorch's dispatcher. The README of this folder says why its key is safe.

#include "recorder.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <memory>

namespace dlbacktrace::torch_ {

/// The mode's key: no tensor ever has it, so it only acts where a thread includes it.
constexpr auto kRecording = c10::DispatchKey::TESTING_ONLY_GenericMode;

/// The keys to which a call goes on after the mode.
inline const c10::DispatchKeySet kBelowRecording(c10::DispatchKeySet::FULL_AFTER, kRecording);

/// Switches a recorder on for the current thread and for the TorchScript tasks that it forks, and gradients off. Restores
/// both at the end of its life.
class Listening {
 public:
  explicit Listening(std::shared_ptr<Recorder> recorder);

  /// Whether the current thread is recording.
  static bool active();

 private:
  c10::AutoGradMode no_grad_{false};
  c10::DebugInfoGuard carried_;
  c10::impl::IncludeDispatchKeyGuard key_;
};

}  // namespace dlbacktrace::torch_
