// The models that Rust explained as well (crates/capi-core/examples/reference.rs has the same list), and how both write
// what they found.
#pragma once

#include "check.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

struct Case {
  std::string name, model;
  std::vector<std::vector<std::size_t>> shapes;
  dlbacktrace::Mode mode;
};

inline const std::vector<Case>& cases() {
  constexpr auto standard = dlbacktrace::Mode::standard, contrastive = dlbacktrace::Mode::contrastive;
  static const std::vector<Case> cases = {
      {"mlp", "tests/fixtures/networks/mlp_traced.pt", {{2, 4}}, standard},
      {"mlp_contrastive", "tests/fixtures/networks/mlp_traced.pt", {{2, 4}}, contrastive},
      {"cnn", "tests/fixtures/networks/cnn_scripted.pt", {{2, 1, 8, 8}}, standard},
      {"resnet_contrastive", "tests/fixtures/blocks/resnet_basic.pt", {{2, 3, 8, 8}}, contrastive},
      {"lstm", "tests/fixtures/recurrent/lstm_one.pt", {{5, 2, 3}}, standard},
      {"encoder", "tests/fixtures/attention/encoder_layer.pt", {{2, 5, 8}}, standard},
      {"two_inputs", "tests/fixtures/networks/two_inputs.pt", {{2, 3}, {2, 2}}, standard},
      {"stateful", "tests/fixtures/control/stateful.pt", {{2, 4}}, standard},
      {"digits", "examples/models/digits_cnn.pt", {{3, 1, 8, 8}}, standard},
      {"keras_mlp", "tests/savedmodels/networks/mlp_export", {{4, 8}}, standard},
      {"keras_cnn", "tests/savedmodels/networks/cnn_export", {{2, 12, 12, 2}}, contrastive},
  };
  return cases;
}

inline bool is_saved_model(const Case& one) { return one.name.rfind("keras", 0) == 0; }

/// Any numbers will do that both languages compute alike.
inline std::vector<float> samples(const std::vector<std::size_t>& shape) {
  std::size_t size = 1;
  for (std::size_t extent : shape) size *= extent;
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>((i * 37 + 11) % 101) / 50.0f - 1.0f;
  return values;
}

inline dlbacktrace::Inputs inputs(const Case& one) {
  dlbacktrace::Inputs inputs;
  for (const auto& shape : one.shapes) inputs.push(dlbacktrace::array(samples(shape), shape));
  return inputs;
}

inline dlbacktrace::Options options(const Case& one) {
  dlbacktrace::Options options;
  options.mode = one.mode;
  options.all_values = true;
  return options;
}

template <class T>
void add(std::string& bits, const dlbacktrace::View<T>& view) {
  const std::uint64_t size = view.size();
  bits.append(reinterpret_cast<const char*>(&size), sizeof size);
  if (size > 0) bits.append(reinterpret_cast<const char*>(view.data()), size * sizeof(T));
}

/// All channels of all inputs, the recorded values, then the prediction: each its length and its elements.
inline std::string bits(const dlbacktrace::Explanation& explanation) {
  std::string bits;
  for (const auto& input : explanation.inputs()) {
    add(bits, input.relevance());
    add(bits, input.relevance(dlbacktrace::Channel::negative));
  }
  for (const auto& value : explanation.values()) add(bits, value.relevance());
  add(bits, explanation.prediction().values);
  return bits;
}

/// What Rust found.
inline std::string reference(const Case& one) {
  const char* directory = std::getenv("DLBACKTRACE_REFERENCE");
  CHECK(directory != nullptr);
  std::ifstream file(std::string(directory) + "/" + one.name, std::ios::binary);
  CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}
