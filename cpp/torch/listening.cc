#include "listening.h"

#include <torch/library.h>

#include <string_view>
#include <utility>

namespace dlbacktrace::torch_ {
namespace {

// libtorch carries such a slot, like the dispatch keys, from a thread to the tasks that it forks. Its address is its identity.
constexpr std::string_view kSlotName = "dlbacktrace recording";
constexpr c10::DebugInfoKind kSlot(&kSlotName);

struct Carried : c10::DebugInfoBase {
  explicit Carried(std::shared_ptr<Recorder> recorder) : recorder(std::move(recorder)) {}
  std::shared_ptr<Recorder> recorder;
};

Carried* carried() { return dynamic_cast<Carried*>(c10::ThreadLocalDebugInfo::get(kSlot)); }

/// Receives every operator dispatched on a thread that includes the key.
void dispatched(const c10::OperatorHandle& op, c10::DispatchKeySet keys, c10::Stack* stack) {
  if (Carried* here = carried()) {
    // The recorder must outlive the call even if a forked task outlives the run.
    const std::shared_ptr<Recorder> recorder = here->recorder;
    recorder->call(op, keys, stack);
  } else {
    op.redispatchBoxed(keys & kBelowRecording, stack);
  }
}

}  // namespace

Listening::Listening(std::shared_ptr<Recorder> recorder)
    : carried_(kSlot, std::make_shared<Carried>(std::move(recorder))), key_(kRecording) {}

bool Listening::active() { return carried() != nullptr; }

}  // namespace dlbacktrace::torch_

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&dlbacktrace::torch_::dispatched>());
}
