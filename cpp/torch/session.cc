#include "session.h"

#include "errors.h"
#include "listening.h"
#include "recorder.h"

namespace dlbacktrace::torch_ {
namespace {

void add(std::vector<std::pair<std::string, at::Tensor>>& to, rust::Str name, const at::Tensor& tensor) {
  guarded([&] {
    TORCH_CHECK(tensor.defined(), "the tensor '", std::string(name), "' is undefined");
    to.emplace_back(std::string(name), tensor);
  });
}

}  // namespace

Session::Session(std::shared_ptr<Policy> policy) : policy_(std::move(policy)) {}
Session::~Session() = default;

std::unique_ptr<Session> new_session(const std::shared_ptr<Policy>& policy) {
  return guarded([&] { return std::make_unique<Session>(policy); });
}

void Session::name(rust::Str name, const AtTensor& tensor) { add(names_, name, tensor); }
void Session::input(rust::Str name, const AtTensor& tensor) { add(inputs_, name, tensor); }
void Session::output(rust::Str name, const AtTensor& tensor) { add(outputs_, name, tensor); }

void Session::start() {
  guarded([&] {
    TORCH_CHECK(
        !Listening::active(),
        "this thread is recording already; finish or drop that recording first. A progress function must not run a model");
    auto names = std::make_shared<Names>();
    for (const auto& [path, tensor] : names_) {
      names->try_emplace(tensor.unsafeGetTensorImpl(), Name{OriginKind::Parameter, path});
    }
    recorder_ = std::make_shared<Recorder>(policy_, names, std::make_shared<Sources>());
    for (const auto& [name, tensor] : inputs_) recorder_->input(name, tensor);
    listening_ = std::make_unique<Listening>(recorder_);
  });
}

std::unique_ptr<Recording> Session::finish() {
  return guarded([&] {
    TORCH_CHECK(listening_, "the recording was not started");
    listening_.reset();
    for (const auto& [name, tensor] : outputs_) recorder_->output(name, tensor);
    return recorder_->finish();
  });
}

}  // namespace dlbacktrace::torch_
