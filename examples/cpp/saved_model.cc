// Which measurements decide for a Keras model? One row of a table, explained without the headers of any framework.
//
//     saved_model DIRECTORY TABLE.csv [ROW]

#include <dlbacktrace/dlbacktrace.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) throw std::runtime_error("usage: saved_model DIRECTORY TABLE.csv [ROW]");
  const int row = argc > 3 ? std::stoi(argv[3]) : 0;
  std::ifstream table(argv[2]);
  std::string header, line;
  std::getline(table, header);
  for (int i = 0; i <= row; ++i) std::getline(table, line);
  if (!table) throw std::runtime_error("the table has no such row");
  const std::vector<std::string> names = split(header);
  std::vector<float> values;
  for (const auto& cell : split(line)) values.push_back(std::stof(cell));

  const dlbacktrace::Model model(argv[1]);
  const auto explanation = model.explain(dlbacktrace::Inputs().push(dlbacktrace::borrow(values.data(), {1, values.size()})));

  const auto prediction = explanation.prediction();
  std::printf("row %d: class %zu", row, prediction.targets.at(0));
  for (double score : prediction.values) std::printf("  %.3f", score);
  std::printf("\n");

  const auto relevance = explanation.inputs().at(0).relevance();
  std::vector<std::size_t> order(relevance.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::abs(relevance[a]) > std::abs(relevance[b]); });
  for (std::size_t i = 0; i < 5 && i < order.size(); ++i) {
    std::printf("  %+9.4f  %s = %g\n", relevance[order[i]], names.at(order[i]).c_str(), values[order[i]]);
  }
  const auto lost = explanation.summary().lost[dlbacktrace::Loss::bias];
  std::printf("  %+9.4f  of the biases\n", lost.positive);
  return 0;
} catch (const dlbacktrace::Error& error) {
  std::cerr << "error: " << error.what() << '\n';
  return static_cast<int>(error.code());
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
