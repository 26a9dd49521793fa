// The one exception, and the calls of the C functions. Functions may be called from several threads.
#pragma once

#include <dlbacktrace/dlbacktrace.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dlbacktrace {

/// What the user has to correct; the numbers are the exit codes of the command.
enum class Code {
  internal = DLB_STATUS_INTERNAL,
  usage = DLB_STATUS_USAGE,
  model = DLB_STATUS_MODEL,
  rule = DLB_STATUS_RULE,
  inputs = DLB_STATUS_INPUTS,
  library = DLB_STATUS_LIBRARY,
  cancelled = DLB_STATUS_CANCELLED,
};

class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] Code code() const noexcept { return code_; }

 private:
  Code code_;
};

namespace detail {

/// Throws unless the status is DLB_STATUS_OK.
inline void check(dlb_status status) {
  if (status != DLB_STATUS_OK) throw Error(static_cast<Code>(status), dlb_last_error());
}

/// Throws if the library has another interface than this header.
inline void check_interface() {
  if (dlb_abi_version() == DLB_ABI_VERSION) return;
  throw Error(Code::library, "the program was compiled for interface " + std::to_string(DLB_ABI_VERSION) +
                                 " of dlbacktrace, but the library has " + std::to_string(dlb_abi_version()) +
                                 "; compile it with the headers of the library");
}

/// Throws unless this many elements fill the shape.
inline void check_size(Code code, const char* what, std::size_t size, const std::vector<std::size_t>& shape) {
  const bool empty = std::find(shape.begin(), shape.end(), 0u) != shape.end();
  std::size_t rest = size;  // divided, because the product of the extents may be larger than any number
  bool fills = !empty || size == 0;
  std::string text;
  for (std::size_t extent : shape) {
    if (!empty) {
      fills = fills && rest % extent == 0;
      rest /= extent;
    }
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  }
  if (fills && (empty || rest == 1)) return;
  throw Error(code, what + (" has " + std::to_string(size)) + " elements, which do not fill its shape [" + text + "]");
}

/// The text for C, which ends texts at a NUL.
inline const char* plain(const std::string& text, const char* what) {
  if (text.find('\0') == std::string::npos) return text.c_str();
  throw Error(Code::usage, std::string(what) + " contains a NUL, where C would end it");
}

inline const char* plain(const std::filesystem::path& path, const char* what) { return plain(path.native(), what); }

/// A text that C can take: neither null nor with a NUL.
class Text {
 public:
  Text(std::string text) : text_(std::move(text)) { plain(text_, "a text"); }
  Text(const char* text) : Text(std::string(text ? text : throw Error(Code::usage, "a text is null"))) {}

  const char* c_str() const { return text_.c_str(); }

 private:
  std::string text_;
};

/// A struct for C to fill.
template <class T>
T sized() {
  T made{};
  made.struct_size = sizeof made;
  return made;
}

/// The object that C hands out; its owner frees it with `free`.
template <class T, class Make>
std::shared_ptr<T> own(void (*free)(T*), Make&& make) {
  T* made = nullptr;
  check(make(&made));
  return std::shared_ptr<T>(made, free);
}

}  // namespace detail

}  // namespace dlbacktrace
