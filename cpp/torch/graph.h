#pragma once
// The code of a module as a graph.

#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <memory>

namespace dlbacktrace::torch_ {

/// The code of `forward` in evaluation mode, with all calls inlined and the branches for training left out.
std::shared_ptr<torch::jit::Graph> evaluation_graph(torch::jit::Graph& forward);
/// Whether the code of `forward`, or of what it calls, asks for the mode.
bool reads_mode(torch::jit::Graph& forward);

/// Replaces devices in the code by the CPU, where the module is.
void put_on_cpu(torch::jit::Graph& graph);

/// Calls `visit` for each node, also in blocks and forked graphs.
void each_node(torch::jit::Graph& graph, const std::function<void(torch::jit::Node&)>& visit);

/// Whether weights are in oneDNN's own layout, as optimize_for_inference leaves them.
bool has_packed_weights(torch::jit::Graph& graph);

/// Whether running the graph may assign attributes of the module or write into its tensors.
bool may_change_module(const std::shared_ptr<torch::jit::Graph>& graph);

}  // namespace dlbacktrace::torch_
