#include "effects.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace dlbacktrace::torch_ {
namespace {

/// Whether an argument of one of these names is true.
bool is_set(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments,
            std::initializer_list<std::string_view> names) {
  const auto& formals = schema.arguments();
  for (size_t i = 0; i < arguments.size() && i < formals.size(); ++i) {
    const bool named = std::find(names.begin(), names.end(), formals[i].name()) != names.end();
    if (named && arguments[i].isBool() && arguments[i].toBool()) return true;
  }
  return false;
}

}  // namespace

bool is_written(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments, size_t index) {
  const c10::Argument& formal = schema.arguments()[index];
  if (formal.alias_info()) return formal.alias_info()->isWrite();
  // Normalisations update their running statistics without declaring it.
  return formal.name().starts_with("running_") && is_set(schema, arguments, {"train", "training", "use_input_stats"});
}

bool trains(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  return is_set(schema, arguments, {"train", "training"});
}

}  // namespace dlbacktrace::torch_
