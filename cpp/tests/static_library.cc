// The same library, linked into the program.

#include "cases.hpp"

int main() {
  for (const Case& one : {cases()[0], cases()[9]}) {
    const auto explanation = dlbacktrace::Model(file(one.model)).explain(inputs(one), options(one));
    CHECK(bits(explanation) == reference(one));
  }
}
