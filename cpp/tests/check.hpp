// Checks that name what failed.
#pragma once

#include <dlbacktrace/dlbacktrace.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <string>

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      std::cerr << __FILE__ << ':' << __LINE__ << ": not so: " << #condition << '\n'; \
      std::exit(1);                                                                   \
    }                                                                                 \
  } while (false)

#ifdef __SANITIZE_ADDRESS__
/// Too much memory asked for is refused by the library, not a defect of the test.
extern "C" __attribute__((used)) const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#endif

/// That `work` fails with this code and that the message says so.
template <class Work>
void fails(dlbacktrace::Code code, const std::string& said, Work&& work) {
  try {
    work();
  } catch (const dlbacktrace::Error& error) {
    if (error.code() == code && std::string(error.what()).find(said) != std::string::npos) return;
    std::cerr << "expected code " << static_cast<int>(code) << " and '" << said << "', got "
              << static_cast<int>(error.code()) << ": " << error.what() << '\n';
    std::exit(1);
  }
  std::cerr << "expected a failure that says '" << said << "'\n";
  std::exit(1);
}

/// The files in the memory of the process whose paths have this in them.
inline std::set<std::string> loaded(const std::string& part) {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> found;
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path != std::string::npos && line.find(part, path) != std::string::npos) found.insert(line.substr(path));
  }
  return found;
}

/// A file of the checkout.
inline std::string file(const std::string& path) {
  const char* checkout = std::getenv("DLBACKTRACE_CHECKOUT");
  return (checkout ? std::string(checkout) : std::string(".")) + "/" + path;
}
