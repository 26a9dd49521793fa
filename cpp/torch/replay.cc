// The recording's check of itself: runs every call once more, on the tensors that it kept.

#include "effects.h"
#include "errors.h"
#include "ports.h"
#include "recording.h"
#include "rerun.h"
#include "snapshot.h"

#include "dlbacktrace-torch-recorder/src/bridge.rs.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <unordered_map>

namespace dlbacktrace::torch_ {
namespace {

/// Whether its result is memory that nobody wrote.
bool leaves_unwritten(const c10::OperatorHandle& op) {
  const std::string& name = op.schema().name();
  return name.find("empty") != std::string::npos || name.find("resize") != std::string::npos;
}

at::Tensor plain(const at::Tensor& tensor) {
  if (tensor.is_quantized()) return tensor.int_repr().contiguous();
  if (tensor.layout() != at::kStrided) return tensor.to_dense().contiguous();
  return tensor.resolve_conj().resolve_neg().contiguous();
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor left = plain(a);
  const at::Tensor right = plain(b);
  return left.nbytes() == right.nbytes() &&
         (left.nbytes() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0);
}

/// Puts the kept tensors back into their places in the arguments. The operator writes to copies only.
class Refill {
 public:
  Refill(const Rerun& call, const std::vector<Value>& values) : call_(call), values_(values) {}

  c10::Stack stack() {
    c10::Stack stack;
    for (size_t i = 0; i < call_.stack.size(); ++i) {
      writes_ = is_written(call_.op.schema(), call_.stack, i);
      stack.push_back(with_tensors(call_.stack[i], [&](const at::Tensor& tensor) { return next(tensor); }));
    }
    return stack;
  }

  std::vector<at::Tensor> written;

 private:
  at::Tensor next(const at::Tensor& original) {
    // Operators compute in another order if two arguments are one object (attention) or could have a gradient (matmul).
    const size_t value = call_.arguments.at(used_++);
    at::Tensor& tensor = filled_[original.unsafeGetTensorImpl()];
    if (!tensor.defined()) {
      tensor = same_content(values_.at(value).tensor);
      tensor.set_requires_grad(original.requires_grad());
    }
    const auto same = [&](const at::Tensor& other) { return other.is_same(tensor); };
    if (writes_ && std::none_of(written.begin(), written.end(), same)) {
      move_to_copy({&tensor});
      written.push_back(tensor);
    }
    return tensor;
  }

  const Rerun& call_;
  const std::vector<Value>& values_;
  std::unordered_map<const c10::TensorImpl*, at::Tensor> filled_;  ///< by the object that was there
  size_t used_ = 0;
  bool writes_ = false;
};

/// What is wrong with a call; empty if nothing.
std::string check(const Rerun& call, const std::vector<Value>& values) {
  Refill refill(call, values);
  c10::Stack stack = refill.stack();
  call.op.callBoxed(&stack);
  std::vector<at::Tensor> results = tensors_in(stack);
  if (results.size() != call.returned) return "gives another number of tensors";
  for (const at::Tensor& tensor : refill.written) {
    const auto returned = [&](const at::Tensor& result) { return result.is_same(tensor); };
    if (std::none_of(results.begin(), results.end(), returned)) results.push_back(tensor);
  }
  for (size_t i = 0; i < call.results.size() && i < results.size(); ++i) {
    const at::Tensor& recorded = values.at(call.results[i]).tensor;
    if (!recorded.defined() || !same_bits(recorded, results[i])) return "differs in result " + std::to_string(i);
  }
  return {};
}

}  // namespace

RawReplay Recording::replay() const {
  return guarded([&] {
    TORCH_CHECK(kept_all_, "a replay needs a recording that keeps all tensors");
    const c10::AutoGradMode no_grad(false);
    RawReplay replay{0, 0, {}};
    for (size_t i = 0; i < reruns_.size(); ++i) {
      const Rerun& call = reruns_[i];
      // Composite operators do not show that they draw: dropout is random in training mode.
      if (call.drew || leaves_unwritten(call.op) || trains(call.op.schema(), call.stack)) {
        ++replay.skipped;
        continue;
      }
      ++replay.checked;
      std::string wrong;
      try {
        wrong = check(call, values_);
      } catch (const std::exception& error) {
        wrong = "fails: " + short_text(error);
      }
      if (wrong.empty()) continue;
      std::ostringstream text;
      text << "call " << i << ", " << call.op.operator_name() << " in '" << call.path << "', " << wrong;
      replay.failed.push_back(rust::String::lossy(text.str()));
    }
    return replay;
  });
}

}  // namespace dlbacktrace::torch_
