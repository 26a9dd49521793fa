// What an explanation costs through C++: from the caller's array to the relevance in the caller's hands, as a multiple of what
// the library's own clock says of the run and the walk within (crates/capi-core/examples/cost.rs says so of Rust). The
// median of such pairs, so that other work on the machine does not count.
//
//     cost MODEL EXTENT...        (the model takes one array of this shape)

#include "cases.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  CHECK(argc > 2);
  const dlbacktrace::Model model(argv[1]);
  const std::vector<std::size_t> shape = [&] {
    std::vector<std::size_t> extents;
    for (int i = 2; i < argc; ++i) extents.push_back(std::stoul(argv[i]));
    return extents;
  }();
  const std::vector<float> given = samples(shape);
  std::vector<double> ratios, within;
  const auto begin = Clock::now();
  while (ratios.size() < 20 || Clock::now() - begin < std::chrono::seconds(3)) {
    const auto start = Clock::now();
    const auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::borrow(given.data(), shape)));
    CHECK(!explanation.inputs()[0].relevance().empty());
    const std::chrono::duration<double> all = Clock::now() - start;
    const auto summary = explanation.summary();
    within.push_back(summary.forward_seconds + summary.relevance_seconds);
    ratios.push_back(all.count() / within.back());
  }
  const auto median = [](std::vector<double> numbers) {
    std::nth_element(numbers.begin(), numbers.begin() + numbers.size() / 2, numbers.end());
    return numbers[numbers.size() / 2];
  };
  std::printf("C++:  %.3f of %.2f ms\n", median(ratios), 1e3 * median(within));
}
