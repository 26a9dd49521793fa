// Live modules and tensors: the same as from the file, shared, and the program's one libtorch.

#include "cases.hpp"

#include <dlbacktrace/torch.hpp>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <thread>

using namespace dlbacktrace;

namespace {

torch::jit::Module module_of(const Case& one) {
  torch::jit::Module module = torch::jit::load(file(one.model));
  module.eval();
  return module;
}

std::vector<at::Tensor> tensors(const Case& one) {
  std::vector<at::Tensor> tensors;
  for (const auto& shape : one.shapes) {
    const std::vector<std::int64_t> sizes(shape.begin(), shape.end());
    tensors.push_back(at::tensor(samples(shape)).reshape(sizes));
  }
  return tensors;
}

Inputs shared(const std::vector<at::Tensor>& tensors) {
  Inputs inputs;
  for (const auto& tensor : tensors) inputs.push(share(tensor));
  return inputs;
}

void a_live_module_is_its_file() {
  for (const Case& one : cases()) {
    if (is_saved_model(one)) continue;
    const auto module = module_of(one);
    const auto given = tensors(one);
    const auto before = given[0].clone();
    CHECK(bits(share(module).explain(shared(given), options(one))) == reference(one));
    CHECK(given[0].equal(before));
  }
}

void nothing_is_copied() {
  const Case& one = cases()[0];
  auto module = module_of(one);
  const auto given = tensors(one);
  const auto uses = given[0].use_count();
  at::Tensor relevance;
  {
    const Model model = share(module);
    const auto explanation = model.explain(shared(given), options(one));
    relevance = tensor(explanation.inputs()[0]);
    CHECK(relevance.data_ptr() == tensor(explanation.inputs()[0]).data_ptr());
    CHECK(!tensor(explanation.inputs()[0], Channel::negative).defined());

    // The model is the live one: what becomes of its weights becomes of the explanation.
    const at::NoGradGuard no_grad;
    for (auto parameter : module.parameters()) parameter.mul_(0.5);
    const auto other = tensor(model.explain(shared(given), options(one)).inputs()[0]);
    CHECK(!other.equal(relevance));
    CHECK(other.equal(tensor(share(module).explain(shared(given), options(one)).inputs()[0])));
  }
  // The tensor outlives the explanation, and the input is the program's alone again.
  CHECK(relevance.sizes() == given[0].sizes() && relevance.sum().item<float>() != 0);
  relevance.reset();
  CHECK(given[0].use_count() == uses);
}

void a_module_stays_as_it_was() {
  for (const Case& one : {cases()[7], cases()[8]}) {
    auto module = module_of(one);
    std::vector<at::Tensor> before;
    for (const auto& attribute : module.named_attributes()) {
      if (attribute.value.isTensor()) before.push_back(attribute.value.toTensor().clone());
    }
    (void)share(module).explain(shared(tensors(one)), options(one));
    std::size_t i = 0;
    for (const auto& attribute : module.named_attributes()) {
      if (attribute.value.isTensor()) CHECK(attribute.value.toTensor().equal(before[i++]));
    }
    module.train();
    fails(Code::model, "training mode", [&] { return share(module); });
    CHECK(module.is_training());
  }
}

void the_model_outlives_the_module() {
  const Case& one = cases()[2];
  const Model model = share(module_of(one));
  CHECK(bits(model.explain(shared(tensors(one)), options(one))) == reference(one));
}

/// As services run: in inference mode, whose tensors count no writes, and with what has been frozen.
void services_infer_and_freeze() {
  const c10::InferenceMode inferring;
  for (const Case& one : {cases()[2], cases()[8]}) {
    const auto module = module_of(one);
    CHECK(bits(share(module).explain(shared(tensors(one)), options(one))) == reference(one));
    const auto frozen = share(torch::jit::freeze(module)).explain(shared(tensors(one)), options(one));
    CHECK(frozen.summary().closes && frozen.summary().coverage == 1.0);
    CHECK(tensor(frozen.inputs()[0]).sum().item<float>() != 0);
  }
}

void strides_and_gradients_do_not_matter() {
  const Case& one = cases()[2];
  const Model model = share(module_of(one));
  const auto plain = tensors(one)[0];
  const auto strided = plain.transpose(2, 3).contiguous().transpose(2, 3);
  CHECK(!strided.is_contiguous());
  CHECK(bits(model.explain(shared({strided}), options(one))) == reference(one));
  const auto trained = plain.clone().requires_grad_();
  CHECK(bits(model.explain(shared({trained}), options(one))) == reference(one));
  CHECK(!trained.grad().defined());
}

void what_is_wrong_is_told() {
  const Case& one = cases()[0];
  const auto module = module_of(one);
  const Model model = share(module);
  fails(Code::inputs, "", [&] { return model.explain(shared({at::ones({2, 4}, at::kDouble)})); });
  fails(Code::inputs, "[2, 5]", [&] { return model.explain(shared({at::ones({2, 5})})); });
  fails(Code::usage, "not finite", [&] { return model.explain(shared({at::full({2, 4}, NAN)})); });
  fails(Code::inputs, "undefined", [&] { return model.explain(shared({at::Tensor()})); });
  const Case& saved = cases()[9];
  fails(Code::inputs, "SavedModel", [&] { return Model(file(saved.model)).explain(shared({at::ones({4, 8})})); });
  CHECK(!tensor(Model(file(saved.model)).explain(inputs(saved)).inputs()[0]).defined());

  fails(Code::model, "there is no module", [] { return share(torch::jit::Module()); });
  auto packed = module_of(cases()[8]);
  packed = torch::jit::optimize_for_inference(packed);
  fails(Code::model, "as it was before", [&] { return share(packed); });

  dlb_model* none = nullptr;
  CHECK(dlb_model_share_torch(&module, "1.13.1", &none) == DLB_STATUS_LIBRARY && none == nullptr);
  CHECK(std::string(dlb_last_error()).find("compiled with the headers of 1.13.1") != std::string::npos);
  CHECK(dlb_model_share_torch(nullptr, TORCH_VERSION, &none) == DLB_STATUS_MODEL);
}

void threads_share_a_live_module() {
  const Case& one = cases()[2];
  const auto module = module_of(one);
  const Model model = share(module);
  std::vector<std::thread> threads;
  std::vector<int> right(8, 0);
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 5; ++round) {
        right[thread] += bits(model.explain(shared(tensors(one)), options(one))) == reference(one);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int count : right) CHECK(count == 5);
}

void results_are_tensors() {
  const Case& one = cases()[2];
  const Model model = share(module_of(one));
  at::Tensor predicted, relevance;
  {
    const auto explanation = model.explain(shared(tensors(one)), options(one));
    const auto prediction = explanation.prediction();
    predicted = tensor(prediction);
    CHECK(predicted.numel() == static_cast<std::int64_t>(prediction.values.size()));
    CHECK(predicted.view(-1)[0].item<double>() == prediction.values[0]);
    const auto value = explanation.values().at(1);
    relevance = tensor(value);
    CHECK(relevance.contiguous().view(-1)[0].item<float>() == value.relevance()[0]);
    CHECK(!tensor(value, Channel::negative).defined());
  }
  CHECK(tensor(model.forward(shared(tensors(one))).at(0)).equal(predicted));
  CHECK(relevance.defined());
  const Case& saved = cases()[9];
  CHECK(!tensor(Model(file(saved.model)).forward(inputs(saved)).at(0)).defined());
}

void one_libtorch_is_loaded() { CHECK(loaded("/libtorch_cpu.so").size() == 1); }

}  // namespace

int main() {
  a_live_module_is_its_file();
  nothing_is_copied();
  a_module_stays_as_it_was();
  the_model_outlives_the_module();
  services_infer_and_freeze();
  strides_and_gradients_do_not_matter();
  what_is_wrong_is_told();
  threads_share_a_live_module();
  results_are_tensors();
  one_libtorch_is_loaded();
}
