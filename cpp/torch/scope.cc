#include "scope.h"

#include <torch/csrc/jit/frontend/source_range.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <exception>
#include <string_view>

namespace dlbacktrace::torch_ {
namespace {

std::string line_of(const torch::jit::SourceRange& range) {
  const auto place = range.file_line_col();
  if (!place) return {};
  const auto& [file, line, column] = *place;
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(line);
}

/// An archive holds generated code and, unless stripped, where each line of it came from. libtorch reads the latter only
/// now; if it is defective, the line in the generated code must suffice.
std::string place_of(const torch::jit::SourceRange& range) {
  try {
    if (const auto original = range.findSourceRangeThatGenerated()) return line_of(*original);
  } catch (const std::exception&) {
  }
  return line_of(range);
}

constexpr std::string_view kFunction = "CALL_FUNCTION";

/// Enters the module that a frame of this instance runs in.
void enter(Scope& scope, std::string_view instance, std::string_view class_name) {
  // A free function is not a module.
  if (instance == "SELF" || class_name.substr(0, kFunction.size()) == kFunction) return;
  scope.class_name = class_name;
  if (instance == "TOP" || instance.empty()) return;
  if (!scope.path.empty()) scope.path += '.';
  scope.path += instance;
}

}  // namespace

/// libtorch names frames as "layer1(Sequential)::forward"; the top is TOP, a call of an own method is SELF, and a free
/// function has no instance.
Scope current_scope() {
  Scope scope;
  for (const std::string& frame : torch::jit::currentModuleHierarchy()) {
    const std::string_view text = frame;
    const auto open = text.find('(');
    const auto close = text.find(')', open);
    if (open == 0 || close == std::string_view::npos) continue;
    enter(scope, text.substr(0, open), text.substr(open + 1, close - open - 1));
  }
  return scope;
}

Scope scope_of(const torch::jit::Node& node) {
  Scope scope;
  const auto stack = node.callstack();
  if (!stack) return scope;
  for (const auto& frame : (*stack)->vec()) {
    const auto& instance = std::get<2>(frame);
    if (!instance) continue;
    const auto type = instance->class_type();
    enter(scope, instance->instance_name(), type && type->name() ? type->name()->name() : "");
  }
  return scope;
}

std::string Sources::current() {
  for (const torch::jit::StackEntry& entry : torch::jit::currentCallstack()) {
    const auto& code = entry.range.source();
    if (!code) continue;
    std::lock_guard lock(mutex_);
    auto [found, added] = places_.try_emplace({code.get(), entry.range.start()});
    if (added) found->second = {code, place_of(entry.range)};
    if (!found->second.text.empty()) return found->second.text;
  }
  return {};
}

}  // namespace dlbacktrace::torch_
