#pragma once
// Where in the TorchScript program the current thread is.

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
/// Of a node whose calls are inlined.
Scope scope_of(const torch::jit::Node& node);

/// Where the code of a module came from. Finding a line takes longer than many an operator, so each is looked up once.
class Sources {
 public:
  /// "file.py:123" of the innermost frame that has a source; empty if none.
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
