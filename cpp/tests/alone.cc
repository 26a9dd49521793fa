// A program needs the framework that it uses, and no other.
//
//     alone torch | tensorflow

#include "cases.hpp"

int main(int, char** argv) {
  const bool torch = std::string(argv[1]) == "torch";
  setenv(torch ? "DLBACKTRACE_LIBTENSORFLOW" : "DLBACKTRACE_TORCH", "/nowhere", 1);
  const Case& one = cases()[torch ? 0 : 9];
  CHECK(bits(dlbacktrace::Model(file(one.model)).explain(inputs(one), options(one))) == reference(one));
  const Case& other = cases()[torch ? 9 : 0];
  fails(dlbacktrace::Code::library, "/nowhere", [&] { dlbacktrace::Model(file(other.model)); });
  CHECK(loaded("/libtorch_cpu.so").size() == (torch ? 1 : 0));
  CHECK(loaded("/libtensorflow").empty() == torch);
}
