#include "errors.h"

#include <cstdlib>
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

/// The longest text that is read.
constexpr size_t kLong = 600;

size_t first_sentence(std::string_view text) {
  const auto end = text.find(". ");
  return end == std::string_view::npos ? kLong : end;
}

/// Whether the user asks for the full text, in the way that Rust programs are asked. Many environments set 1 for every program,
/// to see where one fails; this does not ask for libtorch's frames.
bool wants_all() {
  const char* asked = std::getenv("RUST_BACKTRACE");
  return asked && std::string_view(asked) == "full";
}

}  // namespace

std::string short_text(const std::exception& error) {
  const auto* known = dynamic_cast<const c10::Error*>(&error);
  if (wants_all()) return error.what();
  std::string_view text = trimmed(without_traceback(known ? known->what_without_backtrace() : error.what()));
  // Some texts contain C++ frames, lists of backends or the code inside.
  for (std::string_view mark :
       {"\nException raised from ", "\n\n", "\n:\n", "\n  File \"", "\nCould not find any similar ops"}) {
    text = text.substr(0, text.find(mark));
  }
  return std::string(trimmed(text.size() > kLong ? text.substr(0, first_sentence(text)) : text));
}

}  // namespace dlbacktrace::torch_
