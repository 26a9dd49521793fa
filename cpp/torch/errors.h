#pragma once
// One form of error at the bridge: std::runtime_error with a short text, which cxx turns into a Rust Result.

#include <c10/util/Exception.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace dlbacktrace::torch_ {

/// The text of an error without C++ frames and without the TorchScript code around it.
std::string short_text(const std::exception& error);

/// Runs `work`; whatever it throws becomes a std::runtime_error with a short text.
template <class Work>
auto guarded(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::exception& error) {
    throw std::runtime_error(short_text(error));
  } catch (...) {
    throw std::runtime_error("an unknown C++ exception");
  }
}

}  // namespace dlbacktrace::torch_
