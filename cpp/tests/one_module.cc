// A live module explained, in as few lines as it takes; for the tests of how programs are built.

#include "check.hpp"

#include <dlbacktrace/torch.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>

int main() {
  torch::jit::Module module = torch::jit::load(file("tests/fixtures/networks/mlp_traced.pt"));
  module.eval();
  const auto explanation =
      dlbacktrace::share(module).explain(dlbacktrace::Inputs().push(dlbacktrace::share(at::ones({2, 4}))));
  CHECK(dlbacktrace::tensor(explanation.inputs()[0]).sizes() == at::IntArrayRef({2, 4}));
  CHECK(loaded("/libtorch_cpu.so").size() == 1);
}
