#include "service.h"

#include "cxx-service/src/main.rs.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>

#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>

namespace service {
namespace {

/// A grey picture in the text form of PGM, as [1, 1, H, W] with brightness from 0 to 1.
at::Tensor read(const std::string& path) {
  std::ifstream file(path);
  std::string kind;
  int width = 0, height = 0, white = 0;
  file >> kind >> width >> height >> white;
  if (!file || kind != "P2") throw std::runtime_error(path + " is no picture of PGM's text form");
  at::Tensor picture = at::empty({1, 1, height, width});
  float* pixels = picture.data_ptr<float>();
  for (int i = 0, grey = 0; i < width * height && file >> grey; ++i) pixels[i] = static_cast<float>(grey) / white;
  return picture;
}

}  // namespace

void serve(rust::Str model, rust::Str picture) {
  // The service's own model, as it has it anyway.
  torch::jit::Module module = torch::jit::load(std::string(model));
  module.eval();
  const rust::Box<Explainer> explainer = service::explainer(module);

  const at::Tensor pixels = read(std::string(picture));
  const at::Tensor scores = module.forward({pixels}).toTensor();
  const auto digit = scores.argmax().item<std::int64_t>();
  const at::Tensor relevance = *explainer->explain(pixels, digit);

  std::cout << "digit " << digit << ", score " << scores[0][digit].item<float>() << ", of which "
            << relevance.sum().item<float>() << " came from these pixels:\n"
            << std::fixed << std::setprecision(2);
  for (std::int64_t y = 0; y < relevance.size(2); ++y) {
    for (std::int64_t x = 0; x < relevance.size(3); ++x) std::cout << std::setw(6) << relevance[0][0][y][x].item<float>();
    std::cout << '\n';
  }
}

}  // namespace service
