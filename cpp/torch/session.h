#pragma once
// A recording of any computation of the current thread.

#include "rust/cxx.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace::torch_ {

using AtTensor = at::Tensor;
class Listening;
class Policy;
class Recorder;
class Recording;

/// Must be used and destroyed on the thread that made it.
class Session {
 public:
  explicit Session(std::shared_ptr<Policy> policy);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Names a weight; before start().
  void name(rust::Str name, const AtTensor& tensor);
  /// Names an explained input; before start().
  void input(rust::Str name, const AtTensor& tensor);
  void start();
  /// Names a result; takes effect when the session finishes.
  void output(rust::Str name, const AtTensor& tensor);
  std::unique_ptr<Recording> finish();

 private:
  using Named = std::vector<std::pair<std::string, at::Tensor>>;

  std::shared_ptr<Policy> policy_;
  std::shared_ptr<Recorder> recorder_;
  std::unique_ptr<Listening> listening_;
  Named names_, inputs_, outputs_;
};

std::unique_ptr<Session> new_session(const std::shared_ptr<Policy>& policy);

}  // namespace dlbacktrace::torch_
