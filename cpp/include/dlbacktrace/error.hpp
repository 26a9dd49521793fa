// The one exception, and the calls of the C functions.
#pragma once

#include <dlbacktrace/dlbacktrace.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace dlbacktrace {

/// What the user has to correct; the numbers are the exit codes of the command.
enum class Code {
  internal = DLB_INTERNAL,
  usage = DLB_USAGE,
  model = DLB_MODEL,
  rule = DLB_RULE,
  inputs = DLB_INPUTS,
  library = DLB_LIBRARY,
};

class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

namespace detail {

/// Throws unless the status is DLB_OK.
inline void check(int status) {
  if (status != DLB_OK) throw Error(static_cast<Code>(status), dlb_last_error());
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
  std::size_t wanted = 1;
  std::string text;
  for (std::size_t extent : shape) {
    wanted *= extent;
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  }
  if (size == wanted) return;
  throw Error(code, what + (" has " + std::to_string(size)) + " elements, and its shape [" + text + "] has " +
                        std::to_string(wanted));
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
