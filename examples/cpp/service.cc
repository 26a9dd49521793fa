// A service that classifies pictures with libtorch and explains each: the module that predicts is the one explained.
//
//     service MODEL OUT PICTURE.pgm...
//
// For each picture OUT gets a heatmap, NAME.ppm: red is where the score came through.

#include <dlbacktrace/torch.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

/// A grey picture in the text form of PGM, as [1, 1, H, W] with brightness from 0 to 1.
at::Tensor read(const std::string& path) {
  std::ifstream file(path);
  std::string kind;
  int width = 0, height = 0, white = 0;
  file >> kind >> width >> height >> white;
  if (!file || kind != "P2") throw std::runtime_error(path + " is not a picture in the text form of PGM");
  at::Tensor picture = at::empty({1, 1, height, width});
  float* pixels = picture.data_ptr<float>();
  for (int i = 0, grey = 0; i < width * height && file >> grey; ++i) pixels[i] = static_cast<float>(grey) / white;
  return picture;
}

/// White where nothing came through, red where most did; blue for what is below 0.
void draw(const at::Tensor& relevance, const std::filesystem::path& path) {
  constexpr int zoom = 32;
  const at::Tensor plane = (relevance / relevance.abs().max().clamp_min(1e-30)).contiguous();
  const float* shares = plane.data_ptr<float>();
  const auto height = plane.size(2), width = plane.size(3);
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << width * zoom << ' ' << height * zoom << "\n255\n";
  for (std::int64_t y = 0; y < height * zoom; ++y) {
    for (std::int64_t x = 0; x < width * zoom; ++x) {
      const float share = shares[y / zoom * width + x / zoom];
      const char full = static_cast<char>(255), faded = static_cast<char>(std::lround(255 * (1 - std::abs(share))));
      file.put(share >= 0 ? full : faded).put(faded).put(share >= 0 ? faded : full);
    }
  }
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) throw std::runtime_error("usage: service MODEL OUT PICTURE.pgm...");
  const std::filesystem::path out = argv[2];
  std::filesystem::create_directories(out);

  // The model that the service has anyway.
  torch::jit::Module module = torch::jit::load(argv[1]);
  module.eval();
  const dlbacktrace::Model model = dlbacktrace::share(module);

  for (int i = 3; i < argc; ++i) {
    const std::filesystem::path name = argv[i];
    const at::Tensor picture = read(name);
    const at::Tensor scores = module.forward({picture}).toTensor();
    const auto digit = scores.argmax().item<std::int64_t>();

    dlbacktrace::Options options;
    options.target = dlbacktrace::Target::unit(static_cast<std::size_t>(digit));
    const auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::share(picture)), options);
    const at::Tensor relevance = dlbacktrace::tensor(explanation.inputs()[0]);

    const auto heatmap = out / name.filename().replace_extension(".ppm");
    draw(relevance, heatmap);
    const auto summary = explanation.summary();
    std::printf("%s: a %d, with a score of %.2f; %.2f of %.2f arrived at the pixels, see %s\n", name.c_str(),
                static_cast<int>(digit), scores.max().item<double>(), relevance.sum().item<double>(), summary.start.positive,
                heatmap.c_str());
  }
  return 0;
} catch (const dlbacktrace::Error& error) {
  std::cerr << "error: " << error.what() << '\n';
  return static_cast<int>(error.code());
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
