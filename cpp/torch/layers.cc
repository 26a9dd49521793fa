#include "layers.h"

#include <ATen/ATen.h>

#include <tuple>
#include <vector>

namespace dlbacktrace::torch_ {
namespace {

/// The arguments of a call by their names.
class ByName {
 public:
  explicit ByName(const c10::OperatorHandle& op, c10::ArrayRef<c10::IValue> given) : schema_(op.schema()), given_(given) {}

  const c10::IValue* find(const char* name) const {
    const auto index = schema_.argumentIndexWithName(name);
    return index ? &given_[*index] : nullptr;
  }
  const c10::IValue& operator[](const char* name) const {
    const c10::IValue* found = find(name);
    TORCH_CHECK(found, "a layer without ", name);
    return *found;
  }

 private:
  const c10::FunctionSchema& schema_;
  c10::ArrayRef<c10::IValue> given_;
};

}  // namespace

bool is_layered(const c10::OperatorHandle& op, c10::ArrayRef<c10::IValue> arguments) {
  if (op.schema().name() != "aten::lstm") return false;
  const ByName given(op, arguments);
  // The arguments with which a single layer is called below.
  return given["num_layers"].toInt() > 1 || given["dropout"].toDouble() > 0.0;
}

void call_layers(const c10::OperatorHandle& op, c10::Stack* stack) {
  const size_t count = op.schema().arguments().size();
  const std::vector<c10::IValue> values = torch::jit::last(*stack, count).vec();
  const ByName given(op, values);
  const std::vector<at::Tensor> states = given["hx"].toTensorVector(), params = given["params"].toTensorVector();
  const bool biased = given["has_biases"].toBool(), two = given["bidirectional"].toBool();
  const bool trains = given["train"].toBool();
  const int64_t layers = given["num_layers"].toInt(), directions = two ? 2 : 1;
  const double rate = given["dropout"].toDouble();
  const c10::IValue* packed = given.find("batch_sizes");
  const bool batch_first = !packed && given["batch_first"].toBool();
  TORCH_CHECK(layers > 0 && states.size() == 2 && params.size() % layers == 0,
              "the layers of an LSTM do not fit its weights");

  at::Tensor x = (packed ? given["data"] : given["input"]).toTensor();
  if (batch_first) x = x.transpose(0, 1);
  std::vector<at::Tensor> hidden, cells;
  const at::TensorList all(params);
  const size_t each = params.size() / layers;
  for (int64_t layer = 0; layer < layers; ++layer) {
    if (layer > 0) x = at::dropout(x, rate, trains);
    const auto state = [&](size_t part) { return states[part].narrow(0, layer * directions, directions); };
    const std::vector<at::Tensor> own = {state(0), state(1)};
    const at::TensorList weights = all.slice(layer * each, each);
    auto [y, h, c] = packed ? at::lstm(x, packed->toTensor(), own, weights, biased, 1, 0.0, trains, two)
                            : at::lstm(x, own, weights, biased, 1, 0.0, trains, two, /*batch_first=*/false);
    x = y;
    hidden.push_back(h);
    cells.push_back(c);
  }
  if (batch_first) x = x.transpose(0, 1);
  torch::jit::drop(*stack, count);
  torch::jit::push(*stack, x, at::cat(hidden, 0), at::cat(cells, 0));
}

}  // namespace dlbacktrace::torch_
