#include "graph.h"

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/lower_tuples.h>

#include <vector>

namespace dlbacktrace::torch_ {
namespace {

namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

/// Inlines calls, also in the graphs of forked tasks, which the copy must first own.
void inline_calls(torch::jit::Graph& graph) {
  torch::jit::Inline(graph);
  each_node(graph, [](torch::jit::Node& node) {
    if (!node.hasAttribute(attr::Subgraph)) return;
    node.g_(attr::Subgraph, node.g(attr::Subgraph)->copy());
    torch::jit::Inline(*node.g(attr::Subgraph));
  });
}

bool is_mode(torch::jit::Node& node) { return node.kind() == prim::GetAttr && node.s(attr::name) == "training"; }

}  // namespace

bool reads_mode(torch::jit::Graph& forward) {
  auto graph = forward.copy();
  inline_calls(*graph);
  bool reads = false;
  each_node(*graph, [&](torch::jit::Node& node) { reads = reads || (is_mode(node) && node.output()->hasUses()); });
  return reads;
}

std::shared_ptr<torch::jit::Graph> evaluation_graph(torch::jit::Graph& forward) {
  auto graph = forward.copy();
  inline_calls(*graph);
  each_node(*graph, [](torch::jit::Node& node) {
    if (!is_mode(node)) return;
    const torch::jit::WithInsertPoint here(&node);
    node.output()->replaceAllUsesWith(node.owningGraph()->insertConstant(false));
  });
  torch::jit::ConstantPropagation(graph);
  // For the alias analysis, a tensor taken out of a tuple may be any tensor, so a write to it would count as one to the weights.
  torch::jit::LowerSimpleTuples(graph);
  return graph;
}

/// libtorch moves the tensors of a module, but not the devices in its code: a trace keeps the device on which it was made.
void put_on_cpu(torch::jit::Graph& graph) {
  static const c10::Symbol cuda = c10::Symbol::fromQualString("aten::cuda");
  std::vector<torch::jit::Node*> devices, copies;
  each_node(graph, [&](torch::jit::Node& node) {
    const bool constant = node.kind() == prim::Constant && node.output()->type()->isSubtypeOf(*c10::DeviceObjType::get());
    if (constant || node.kind() == torch::jit::aten::device) devices.push_back(&node);
    if (node.kind() == cuda) copies.push_back(&node);
  });
  for (torch::jit::Node* node : devices) {
    const auto value = torch::jit::toIValue(node->output());
    if (value && value->isDevice() && !value->toDevice().is_cuda()) continue;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(node->owningGraph()->insertConstant(c10::Device(c10::kCPU)));
  }
  for (torch::jit::Node* node : copies) node->output()->replaceAllUsesWith(node->input(0));
}

void each_node(torch::jit::Graph& graph, const std::function<void(torch::jit::Node&)>& visit) {
  std::vector<torch::jit::Block*> open{graph.block()};
  while (!open.empty()) {
    torch::jit::Block* block = open.back();
    open.pop_back();
    for (torch::jit::Node* node : block->nodes()) {
      visit(*node);
      for (torch::jit::Block* inner : node->blocks()) open.push_back(inner);
      if (node->hasAttribute(attr::Subgraph)) open.push_back(node->g(attr::Subgraph)->block());
    }
  }
}

bool has_packed_weights(torch::jit::Graph& graph) {
  bool packed = false;
  each_node(graph, [&](torch::jit::Node& node) { packed = packed || node.kind() == prim::ConstantMKLDNNTensor; });
  return packed;
}

bool may_change_module(const std::shared_ptr<torch::jit::Graph>& graph) {
  const torch::jit::AliasDb aliases(graph);
  bool changes = false;
  each_node(*graph, [&](torch::jit::Node& node) {
    if (node.kind() == prim::SetAttr) changes = true;
    // The module's own tensors enter the graph through GetAttr; the alias analysis knows which views of them are written.
    if (node.kind() == prim::GetAttr && aliases.hasWriters(node.output())) changes = true;
  });
  return changes;
}

}  // namespace dlbacktrace::torch_
