#include "errors.h"

#include <string_view>

namespace dlbacktrace::torch_ {
namespace {

/// TorchScript prints the code around an error first and the error last: "...\nRuntimeError: what happened".
std::string_view without_traceback(std::string_view text) {
  if (text.find("Traceback of TorchScript") == std::string_view::npos) return text;
  for (std::string_view mark : {"RuntimeError: ", "Error: "}) {
    auto at = text.rfind(mark);
    if (at != std::string_view::npos) return text.substr(at + mark.size());
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  auto from = text.find_first_not_of(blank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blank) - from + 1);
}

}  // namespace

std::string short_text(const std::exception& error) {
  const auto* known = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = trimmed(without_traceback(known ? known->what_without_backtrace() : error.what()));
  // Some texts carry their C++ frames inside.
  auto frames = text.find("\nException raised from ");
  return std::string(trimmed(text.substr(0, frames)));
}

}  // namespace dlbacktrace::torch_
