#pragma once
// The place of the current thread in the TorchScript program.

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace torch::jit {
struct Node;
struct Source;
}  // namespace torch::jit

namespace dlbacktrace::torch_ {

struct Scope {
  std::string path;        ///< "layer1.0.conv1"; empty at the top and outside TorchScript
  std::string class_name;  ///< "Conv2d"; empty outside TorchScript
};

Scope current_scope();
/// The scope of a node whose calls are inlined.
Scope scope_of(const torch::jit::Node& node);

/// Finds where the code of a module came from. Finding a line takes longer than many an operator, so each is looked up once.
class Sources {
 public:
  /// "file.py:123" of the innermost frame that has a source; empty if none has.
  std::string current();

 private:
  struct Place {
    std::shared_ptr<torch::jit::Source> code;  ///< held, so that its address stays its own
    std::string text;
  };

  std::mutex mutex_;
  std::map<std::pair<const torch::jit::Source*, size_t>, Place> places_;
};

}  // namespace dlbacktrace::torch_
